// SPDX-License-Identifier: GPL-2.0
/*
 * cxi-stress: random control steps while device nodes are open.
 *
 * cxi-stress [-n STEPS] [-s SEED] [-c CONTROL]
 *
 * Works on four slots of its own and removes all emulated NICs first. Prints
 * PASS or FAIL for what user space can see (slabs); the kernel's own complaints
 * are in dmesg, and whoever runs this must look there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "slabs.h"

#define FILES 8
#define WARM_UP 300
#define COMMANDS 26

static const char *control = "/sys/kernel/debug/cxi-emu/control";
static const char * const slots[] = {
	"0000:21:00.0", "0000:61:00.0", "0000:a1:00.0", "0001:21:00.0",
};
static int files[FILES];
static unsigned int open_files, steps_with_open, refused;
static uint64_t state;

/* xorshift64*: the same steps for the same seed. */
static uint32_t pick(uint32_t limit)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1dULL >> 33) % limit;
}

static const char *slot(void)
{
	return slots[pick(4)];
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		refused++;
	if (fd >= 0)
		close(fd);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char line[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	put(control, line);
}

static void do_add(void)
{
	static const char * const kinds[] = { "c1", "c2", "c1", "c2", "c1vf", "c2vf" };

	say("add %s,pci=%s%s", kinds[pick(6)], slot(), pick(4) ? "" : ",variant=V10");
}

static void do_remove(void)
{
	say("remove %s", slot());
}

static void do_link(void)
{
	say("link %s %s", slot(), pick(2) ? "up" : "down");
}

static void do_value(void)
{
	static const char * const names[] = { "pct_eq", "corr", "uncorr", "codewords", "nid" };

	say("%s %s %u", names[pick(5)], slot(), pick(100));
}

static void do_error(void)
{
	say("%s %s %u %u", pick(3) ? "error" : "fatal", slot(), pick(1000), pick(64));
}

static void do_restart(void)
{
	say("restart %s", slot());
}

static void do_surprise(void)
{
	say("surprise %s %s", slot(), pick(3) ? "off" : "on");
}

static void do_failure(void)
{
	static const char * const points[] = { "probe", "open", "command", "attribute" };

	say("fail %s %s %u %u", slot(), points[pick(4)], pick(2) ? 0 : 1 + pick(40), pick(4));
}

static void do_binding(void)
{
	put(pick(2) ? "/sys/bus/pci/drivers/cxi_ss1/bind" : "/sys/bus/pci/drivers/cxi_ss1/unbind",
	    slot());
}

static void do_vfs(void)
{
	char path[100], count[12];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", slot());
	snprintf(count, sizeof(count), "%u", pick(2) ? 0 : pick(4));
	put(path, count);
}

/* Netdevs that are up use services. */
static void do_netdev(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, IFNAMSIZ, "hsn%u", pick(6));
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request)) {
		refused++;
	} else {
		request.ifr_flags ^= IFF_UP;
		refused += ioctl(fd, SIOCSIFFLAGS, &request) < 0;
	}
	if (fd >= 0)
		close(fd);
}

/* A file whose name the pattern finds; NULL if there is none. */
static char *random_path(const char *pattern)
{
	char *path = NULL;
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return NULL;
	path = strdup(found.gl_pathv[pick(found.gl_pathc)]);
	globfree(&found);
	return path;
}

static void do_open(void)
{
	char *path = random_path("/dev/cxi[0-9]*");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	free(path);
	if (fd < 0) {
		refused++;
		return;
	}
	if (open_files < FILES) {
		files[open_files++] = fd;
		return;
	}
	uint32_t victim = pick(FILES);

	close(files[victim]);
	files[victim] = fd;
}

static void do_close(void)
{
	if (!open_files)
		return;
	uint32_t victim = pick(open_files);

	close(files[victim]);
	files[victim] = files[--open_files];
}

/* The right size of some commands, and bytes that mean little. */
static void do_command(void)
{
	static const struct {
		uint32_t op;
		size_t size;
	} commands[COMMANDS] = {
		{ 1, 24 }, { 1, 24 }, { 2, 8 }, { 27, 32 }, { 28, 88 }, { 29, 8 }, { 34, 16 },
		{ 45, 24 }, { 49, 32 }, { 50, 24 }, { 52, 16 }, { 53, 24 }, { 54, 24 }, { 78, 12 },
		{ 79, 24 }, { 80, 24 }, { 80, 24 }, { 81, 32 }, { 82, 32 }, { 84, 12 }, { 85, 24 },
		{ 4, 32 }, { 5, 8 }, { 6, 32 }, { 7, 8 }, { 44, 88 },
	};
	static uint8_t answer[70000];
	uint8_t bytes[128] = { 0 };
	size_t size = commands[pick(COMMANDS)].size;
	uint32_t op = 0;
	uint64_t place = pick(10) ? (uintptr_t)answer : pick(2);

	for (size_t i = pick(COMMANDS), tries = 0; tries < COMMANDS; tries++, i = (i + 1) % COMMANDS)
		if (commands[i].size == size || !pick(20)) {
			op = commands[i].op;
			break;
		}
	memcpy(bytes, &op, 4);
	if (size >= 16)
		memcpy(bytes + 8, &place, 8);
	else
		bytes[4] = pick(4);
	bytes[16] = pick(4);
	bytes[20] = pick(2);
	if (op == 4 || op == 6) {
		/* On one of few LNIs: few VNIs and PIDs, or traffic classes. */
		bytes[20] = 1 + pick(3);
		bytes[24] = pick(9);
		bytes[28] = pick(10) ? 0 : pick(5);
	} else if (size == 32) {
		memcpy(bytes + 24, &place, 8);
	}
	if (size == 88 && pick(2))
		bytes[16] = 0x02;
	if (!open_files || write(files[pick(open_files)], bytes, size) < 0)
		refused++;
}

static void do_read(void)
{
	char pattern[100], text[4096];
	char *path;
	int fd;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/*/*", slot());
	path = random_path(pattern);
	/* Not the kernel's own, which may reset or rescan. */
	fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd < 0 || read(fd, text, sizeof(text)) < 0)
		refused++;
	if (fd >= 0)
		close(fd);
	free(path);
}

/* Some do more than others. */
static void (* const steps[])(void) = {
	do_add, do_add, do_add, do_remove, do_link, do_link, do_value, do_error, do_restart,
	do_surprise, do_failure, do_binding, do_binding, do_vfs, do_netdev, do_open, do_open, do_open,
	do_close, do_command, do_command, do_command, do_command, do_read, do_read,
};

static void run(unsigned int count)
{
	open_files = 0;
	steps_with_open = 0;
	refused = 0;
	while (count--) {
		steps[pick(sizeof(steps) / sizeof(*steps))]();
		if (!open_files) {
			do_add();
			do_open();
		}
		steps_with_open += open_files > 0;
	}
	say("remove-all");
	while (open_files)
		close(files[--open_files]);
}

static int verdict(int good, const char *name)
{
	printf("%s %s\n", good ? "PASS" : "FAIL", name);
	return !good;
}

/* What lingers by chance is few objects, what is lost is one in each cycle. */
static int compare(const struct slabs *before, const struct slabs *after, unsigned int count)
{
	long limit = count / 20 + 20;

	printf("objects of the modules: %ld before, %ld after\n", before->exact, after->exact);
	printf("those that linger: %ld before, %ld after\n", before->lingering, after->lingering);
	return verdict(before->exact == after->exact, "the modules' objects came back") +
	       verdict(after->lingering <= before->lingering + limit,
		       "those of them that linger have not grown");
}

static void parse(int argc, char **argv, unsigned int *count, uint64_t *seed)
{
	int option;

	while ((option = getopt(argc, argv, "n:s:c:")) != -1) {
		if (option == 'n')
			*count = strtoul(optarg, NULL, 0);
		else if (option == 's')
			*seed = strtoull(optarg, NULL, 0);
		else if (option == 'c')
			control = optarg;
		else
			exit(2);
	}
	if (access(control, W_OK)) {
		fprintf(stderr, "cxi-stress: %s: %s\n", control, strerror(errno));
		exit(2);
	}
}

/* What is made once and kept must be there before the count. */
static void warm_up(void)
{
	say("remove-all");
	state = 1;
	for (int i = 0; i < 4; i++)
		say("add c1,pci=%s", slots[i]);
	run(WARM_UP);
}

int main(int argc, char **argv)
{
	static struct slabs before, after;
	unsigned int count = 1000;
	int failed;
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return 2;
	parse(argc, argv, &count, &seed);
	printf("seed %#llx, %u steps\n", (unsigned long long)seed, count);
	fflush(stdout);
	warm_up();
	if (slabs_known())
		slabs_take(&before);
	state = seed ?: 1;
	run(count);
	printf("%u of %u steps with a node open, %u calls refused\n", steps_with_open, count,
	       refused);
	failed = verdict(steps_with_open * 10 >= count * 8, "nodes were open");
	if (slabs_known()) {
		slabs_take(&after);
		failed += compare(&before, &after, count);
	} else {
		printf("SKIPPED slabs: boot with slub_debug=FZPU slab_nomerge\n");
	}
	return !!failed;
}
