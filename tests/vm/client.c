// SPDX-License-Identifier: GPL-2.0
/*
 * A user of the fabric and another site's tool, for tests/vm/guest/services.sh:
 * commands on /dev/cxiN in bytes, by somebody who knows nothing of our code.
 *
 * cxi-client get DEVICE ID        the service, 68 bytes in hexadecimal
 * cxi-client alloc DEVICE HEX     makes one; its number
 * cxi-client enable DEVICE ID ON  switches one
 * cxi-client hold DEVICE ID       uses one until standard input ends
 *
 * Says the name of the errno and ends with 1 when the driver refuses.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t answer[128];

static void put32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof(value));
}

/* A command with the place of its answer at 8, and its first fields at 16. */
static void command(int fd, uint32_t op, size_t size, uint32_t first, uint32_t second,
		    const uint8_t *rest)
{
	uint8_t bytes[88] = { 0 };
	uint64_t place = (uintptr_t)answer;

	put32(bytes, op);
	memcpy(bytes + 8, &place, sizeof(place));
	put32(bytes + 16, first);
	put32(bytes + 20, second);
	if (rest)
		memcpy(bytes + 16, rest, 68);
	if (write(fd, bytes, size) != (ssize_t)size) {
		puts(strerrorname_np(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	uint32_t id = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	uint8_t service[68] = { 0 };
	char byte;
	int fd, i;

	if (argc < 4)
		return 2;
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		puts(strerrorname_np(errno));
		return 1;
	}
	if (!strcmp(argv[1], "get")) {
		command(fd, 45, 24, id, 0, NULL);
		for (i = 0; i < 68; i++)
			printf("%02x", answer[i]);
		putchar('\n');
	} else if (!strcmp(argv[1], "alloc")) {
		for (i = 0; i < 68 && sscanf(argv[3] + 2 * i, "%2hhx", &service[i]) == 1; i++)
			;
		command(fd, 28, 88, 0, 0, service);
		printf("%u\n", *(uint32_t *)answer);
	} else if (!strcmp(argv[1], "enable") && argc > 4) {
		command(fd, 80, 24, id, atoi(argv[4]), NULL);
	} else if (!strcmp(argv[1], "hold")) {
		command(fd, 1, 24, id, 0, NULL);
		puts("held");
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	} else {
		return 2;
	}
	return 0;
}
