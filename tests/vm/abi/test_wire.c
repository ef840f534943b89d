// SPDX-License-Identifier: GPL-2.0
/* Bytes, sizes and pointers: what is decided before a command runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "device.h"
#include "fields.h"
#include "request.h"

/* Recorded from HPE's own tools; ................ is a pointer. */
#define PP "................"

static void golden(const char *name, struct request request, const char *expected)
{
	char hex[2 * LONGEST + 1];
	size_t i;

	for (i = 0; i < request.size; i++)
		sprintf(hex + 2 * i, "%02x", request.bytes[i]);
	for (i = 0; i < 2 * request.size && expected[i]; i++)
		if (expected[i] == '.')
			hex[i] = '.';
	check(!strcmp(hex, expected), "golden bytes: %s%s%s", name,
	      strcmp(hex, expected) ? ": " : "", strcmp(hex, expected) ? hex : "");
}

void test_golden(struct device *device)
{
	static struct answer a, list;

	(void)device;
	golden("DEV_INFO_GET", request(52, &a), "3400000000000000" PP);
	golden("SVC_LIST_GET, count unknown", lists(27, &a, 0, NULL),
	       "1b00000000000000" PP "00000000000000000000000000000000");
	golden("SVC_LIST_GET, count 3", lists(27, &a, 3, &list),
	       "1b00000000000000" PP "0300000000000000" PP);
	golden("SVC_GET", on_svc(45, &a, 1), "2d00000000000000" PP "0100000000000000");
	golden("SVC_RSRC_LIST_GET, count 3", lists(49, &a, 3, &list),
	       "3100000000000000" PP "0300000000000000" PP);
	golden("SVC_RSRC_GET", on_svc(50, &a, 1), "3200000000000000" PP "0100000000000000");
	golden("SVC_GET_LPR", on_svc(54, &a, 1), "3600000000000000" PP "0100000000000000");
	golden("SVC_ENABLE on", svc_enable(1, 1),
	       "500000000000000000000000000000000100000001000000");
	golden("SVC_ENABLE off", svc_enable(1, 0),
	       "500000000000000000000000000000000100000000000000");
	golden("SVC_DESTROY", brief(29, 3, 0), "1d00000003000000");
}

static void wrong_sizes(struct device *device, const struct command *command)
{
	static struct answer a;
	struct request made = request(command->op, &a);
	size_t size, refused = 0;

	for (size = 0; size <= LONGEST; size++) {
		if (size == command->size)
			continue;
		errno = 0;
		if (write(device->fd, made.bytes, size) < 0 && errno == EINVAL)
			refused++;
	}
	check(refused == LONGEST, "%s: %zu of %d wrong sizes: EINVAL", command->name,
	      refused, LONGEST);
	check(!written(&a), "%s of a wrong size writes no answer", command->name);
}

void test_sizes(struct device *device)
{
	uint8_t bytes[LONGEST] = { 0 };
	char name[32];
	size_t i;

	for (i = 0; i < COMMANDS; i++)
		wrong_sizes(device, &commands[i]);
	for (i = 0; i < sizeof(unknown_ops) / sizeof(*unknown_ops); i++) {
		put32(bytes, AT_OP, unknown_ops[i]);
		snprintf(name, sizeof(name), "unknown op %u", unknown_ops[i]);
		expect(name, device->fd, bytes, 16, EINVAL);
	}
	for (i = 0; i < sizeof(refused_ops) / sizeof(*refused_ops); i++) {
		put32(bytes, AT_OP, refused_ops[i]);
		snprintf(name, sizeof(name), "refused op %u", refused_ops[i]);
		expect(name, device->fd, bytes, 16, EOPNOTSUPP);
	}
}

/* Commands that answer, with a place for the answer that is none. */
static void bad_answer(struct device *device, const struct command *command, void *place,
		       const char *what)
{
	struct request made = on_svc(command->op == 1 ? 45 : command->op, NULL, DEFAULT_SVC);
	char name[64];

	if (command->op == 27 || command->op == 49)
		put32(made.bytes, AT_FIELD, 0);
	put64(made.bytes, AT_RESP, (uintptr_t)place);
	snprintf(name, sizeof(name), "%s answering to %s", command->name, what);
	expect(name, device->fd, made.bytes, made.size, EFAULT);
}

static bool answers_on_default(const struct command *command)
{
	/* The others have nothing to say of the default service, or change things. */
	return command->answer && !command->admin && command->op != 1 && command->op != 4 &&
	       command->op != 6 && command->op != 82 && command->op != 85;
}

void test_pointers(struct device *device)
{
	void *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static struct answer a;
	struct request made = request(52, &a);
	char byte;

	if (read_only == MAP_FAILED || page == MAP_FAILED || munmap(page + 4096, 4096))
		die("mmap");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!answers_on_default(&commands[i]))
			continue;
		bad_answer(device, &commands[i], NULL, "NULL");
		bad_answer(device, &commands[i], read_only, "a read-only page");
		if (commands[i].answer > 1)
			bad_answer(device, &commands[i], page + 4096 - 1, "the end of a page");
	}
	expect("a request at NULL", device->fd, NULL, 16, EFAULT);
	memcpy(page + 4096 - 8, made.bytes, 8);
	expect("a request that ends behind its page", device->fd, page + 4096 - 8, 16, EFAULT);
	made = brief(2, 4000, 0);
	memcpy(page + 4096 - 8, made.bytes, 8);
	expect("D17: LNI_FREE at the end of its page", device->fd, page + 4096 - 8, 8, EFAULT);
	memcpy(page + 4096 - 16, made.bytes, 8);
	expect("D17: LNI_FREE 16 bytes before it", device->fd, page + 4096 - 16, 8, EINVAL);
	made = lists(27, &a, 1000, NULL);
	expect("SVC_LIST_GET with a list at NULL", device->fd, made.bytes, made.size, EFAULT);
	made = lists(49, &a, 1000, read_only);
	expect("SVC_RSRC_LIST_GET with a read-only list", device->fd, made.bytes, made.size,
	       EFAULT);
	check(read(device->fd, &byte, 1) < 0 && errno == EINVAL, "read(2): EINVAL");
	check(ioctl(device->fd, 0, 0) < 0 && errno == ENOTTY, "ioctl(2): ENOTTY");
	munmap(read_only, 4096);
	munmap(page, 4096);
}
