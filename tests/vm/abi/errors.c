// SPDX-License-Identifier: GPL-2.0
/*
 * cxi-errors: hears error messages of the generic netlink family cxierr.
 *
 * cxi-errors PCI-ADDRESS [CONTROL]
 *
 * Has the emulated hardware raise one error and checks what arrives.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define FLAG 0x2a8
#define BIT_NUMBER 7

/* Offsets below a netlink header: the generic header is 4 bytes. */
static const struct nlattr *find(const struct nlmsghdr *message, int type)
{
	const char *at = (const char *)NLMSG_DATA(message) + GENL_HDRLEN;
	const char *end = (const char *)message + message->nlmsg_len;

	while (at + NLA_HDRLEN <= end) {
		const struct nlattr *attribute = (const struct nlattr *)at;

		if (attribute->nla_len < NLA_HDRLEN)
			break;
		if ((attribute->nla_type & NLA_TYPE_MASK) == type)
			return attribute;
		at += NLA_ALIGN(attribute->nla_len);
	}
	return NULL;
}

static const void *data(const struct nlattr *attribute)
{
	return (const char *)attribute + NLA_HDRLEN;
}

static void die(const char *what)
{
	fprintf(stderr, "cxi-errors: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Asks the kernel for the family; its answer is in buffer. */
static const struct nlmsghdr *ask(int fd, char *buffer, size_t size)
{
	struct {
		struct nlmsghdr header;
		struct genlmsghdr generic;
		struct nlattr name;
		char text[8];
	} query = {
		{ sizeof(query), GENL_ID_CTRL, NLM_F_REQUEST, 1, 0 },
		{ CTRL_CMD_GETFAMILY, 1, 0 },
		{ NLA_HDRLEN + sizeof("cxierr"), CTRL_ATTR_FAMILY_NAME },
		"cxierr",
	};
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

	if (send(fd, &query, sizeof(query), 0) < 0 || recv(fd, buffer, size, 0) < 0)
		die("netlink");
	return message->nlmsg_type == NLMSG_ERROR ? NULL : message;
}

/* The groups are nested twice; there is one. */
static int group_of(const struct nlmsghdr *message)
{
	const struct nlattr *groups = find(message, CTRL_ATTR_MCAST_GROUPS);
	const char *at = groups ? (const char *)data(groups) + NLA_HDRLEN : NULL;
	uint32_t id = 0;
	int named = 0;

	for (int i = 0; groups && i < 2; i++) {
		const struct nlattr *attribute = (const struct nlattr *)at;

		if (attribute->nla_type == CTRL_ATTR_MCAST_GRP_ID)
			memcpy(&id, data(attribute), sizeof(id));
		if (attribute->nla_type == CTRL_ATTR_MCAST_GRP_NAME)
			named = !strcmp(data(attribute), "cxierr_mc_group");
		at += NLA_ALIGN(attribute->nla_len);
	}
	return named ? (int)id : 0;
}

static void raise_error(const char *control, const char *pci)
{
	char line[100];
	int fd = open(control, O_WRONLY | O_CLOEXEC);

	snprintf(line, sizeof(line), "error %s %u %u", pci, FLAG, BIT_NUMBER);
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		die(control);
	close(fd);
}

static int verdict(int good, const char *name)
{
	printf("%s %s\n", good ? "PASS" : "FAIL", name);
	return !good;
}

static int check(const struct nlmsghdr *message, uint16_t family)
{
	const struct genlmsghdr *generic = NLMSG_DATA(message);
	const struct nlattr *number = find(message, 1), *flag = find(message, 2);
	const struct nlattr *bit = find(message, 3);
	uint32_t word = 0;
	int failed = verdict(message->nlmsg_type == family && generic->cmd == 1 &&
			     generic->version == 1, "cxierr: command 1, version 1");

	failed += verdict(number && number->nla_len == NLA_HDRLEN + 4,
			  "cxierr: attribute 1, the device's number");
	if (flag)
		memcpy(&word, data(flag), sizeof(word));
	failed += verdict(flag && flag->nla_len == NLA_HDRLEN + 4 && word == FLAG,
			  "cxierr: attribute 2, the CSR");
	failed += verdict(bit && bit->nla_len == NLA_HDRLEN + 1 &&
			  *(const uint8_t *)data(bit) == BIT_NUMBER, "cxierr: attribute 3, the bit");
	return failed;
}

int main(int argc, char **argv)
{
	const char *control = argc > 2 ? argv[2] : "/sys/kernel/debug/cxi-emu/control";
	static char buffer[8192] __attribute__((aligned(8)));
	const struct timeval limit = { .tv_sec = 10 };
	const struct nlmsghdr *message;
	const struct nlattr *id;
	uint16_t family = 0;
	int fd, group;

	if (argc < 2)
		return 2;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	/* A guard against hanging, not a measure. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		die("socket");
	message = ask(fd, buffer, sizeof(buffer));
	id = message ? find(message, CTRL_ATTR_FAMILY_ID) : NULL;
	if (verdict(id != NULL, "cxierr: the family is there"))
		return 1;
	memcpy(&family, data(id), sizeof(family));
	group = group_of(message);
	if (verdict(group > 0, "cxierr: group cxierr_mc_group"))
		return 1;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		die("join");
	raise_error(control, argv[1]);
	if (verdict(recv(fd, buffer, sizeof(buffer), 0) > 0, "cxierr: a message arrives"))
		return 1;
	return !!check((const struct nlmsghdr *)buffer, family);
}
