// SPDX-License-Identifier: GPL-2.0
/*
 * A user of the fabric and another site's tool, for tests/vm/guest/services.sh:
 * commands on /dev/cxiN in bytes, by somebody who knows nothing of our code.
 *
 * cxi-client get DEVICE ID        the service, 68 bytes in hexadecimal
 * cxi-client alloc DEVICE HEX     makes one; its number
 * cxi-client enable DEVICE ID ON  switches one
 * cxi-client destroy DEVICE ID    ends one
 * cxi-client hold DEVICE ID       uses one until standard input ends
 * cxi-client serve DEVICE FOLDER  takes orders from FOLDER/ask and says in FOLDER/said what
 *                                 became of each, until "end": to use the service of a
 *                                 number, or to "choose" one as libfabric does
 *
 * Says the name of the errno and ends with 1 when the driver refuses; serve goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICES	64

static uint8_t answer[128];
static uint8_t services[SERVICES][68];

static void put32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof(value));
	return value;
}

/* A command with the place of its answer at 8, and its first fields at 16; 0 or the errno. */
static int try(int fd, uint32_t op, size_t size, uint32_t first, uint32_t second,
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
	/* The list of services has a place of its own. */
	if (op == 27) {
		place = (uintptr_t)services;
		memcpy(bytes + 24, &place, sizeof(place));
	}
	return write(fd, bytes, size) == (ssize_t)size ? 0 : errno;
}

static void command(int fd, uint32_t op, size_t size, uint32_t first, uint32_t second,
		    const uint8_t *rest)
{
	int error = try(fd, op, size, first, second, rest);

	if (!error)
		return;
	puts(strerrorname_np(error));
	exit(1);
}

/* A use of a service that ends at once. */
static const char *use(int fd, uint32_t id)
{
	uint8_t bytes[8] = { 2 };
	int error = try(fd, 1, 24, id, 0, NULL);

	if (error)
		return strerrorname_np(error);
	memcpy(bytes + 4, answer, 4);
	return write(fd, bytes, 8) == 8 ? "ok" : strerrorname_np(errno);
}

/* The place of a word in a list with commas, or the word at a place. */
static const char *listed(const char *name, const char *word, int *place)
{
	static char text[256];
	const char *value = getenv(name);
	char *rest = text, *found;
	int i;

	snprintf(text, sizeof(text), "%s", value ?: "");
	for (i = 0; value && (found = strsep(&rest, ",")); i++) {
		if (word && strcmp(found, word))
			continue;
		if (!word && i != *place)
			continue;
		*place = i;
		return found;
	}
	return NULL;
}

/* The one that a launcher has named, if all three variables are there. */
static uint32_t named(const char *device)
{
	const char *id;
	int place;

	if (!getenv("SLINGSHOT_VNIS") || !getenv("SLINGSHOT_SVC_IDS") ||
	    !listed("SLINGSHOT_DEVICES", device, &place))
		return 0;
	id = listed("SLINGSHOT_SVC_IDS", NULL, &place);
	return id ? strtoul(id, NULL, 10) : 0;
}

/* How well a service fits this process: 4 by its namespace, 3, 2, 1 for everybody, 0 not at all. */
static int fits(int fd, const uint8_t *service, uint32_t netns)
{
	int best = 0, i;

	/* On, and not of the host's own software. */
	if (!(service[0] & 0x10) || service[0] & 0x20)
		return 0;
	if (!(service[0] & 0x01))
		return 1;
	for (i = 0; i < 2; i++) {
		uint32_t id = get32(service + 16 + 8 * i), type = get32(service + 20 + 8 * i);

		if (type == 1 && id == geteuid())
			best = 3;
		if (type == 2 && id == getegid() && best < 2)
			best = 2;
	}
	if (!try(fd, 85, 24, get32(service + 64), 0, NULL) && get32(answer) == netns)
		best = 4;
	return best;
}

/* Host ids are what the driver compares; a process in a user namespace knows only its own. */
static uint32_t choose(int fd, const char *device)
{
	uint32_t chosen = named(device);
	struct stat netns;
	int best = 0, i;

	if (chosen)
		return chosen;
	if (stat("/proc/self/ns/net", &netns) || try(fd, 27, 32, SERVICES, 0, NULL))
		return 0;
	for (i = get32(answer) - 1; i >= 0; i--) {
		int fit = fits(fd, services[i], netns.st_ino);

		if (fit <= best)
			continue;
		best = fit;
		chosen = get32(services[i] + 64);
	}
	return chosen;
}

static int serve(int fd, const char *device, const char *folder)
{
	char path[256], line[64];
	FILE *ask, *said;

	snprintf(path, sizeof(path), "%s/said", folder);
	said = fopen(path, "a");
	snprintf(path, sizeof(path), "%s/ask", folder);
	/* Both ends, so that it never ends by itself. */
	ask = fopen(path, "r+");
	if (!ask || !said)
		return 1;
	fprintf(said, "ready\n");
	fflush(said);
	while (fgets(line, sizeof(line), ask) && strcmp(line, "end\n")) {
		uint32_t id = strcmp(line, "choose\n") ? strtoul(line, NULL, 10)
							: choose(fd, device);

		if (id)
			fprintf(said, "%u %s\n", id, use(fd, id));
		else
			fprintf(said, "none\n");
		fflush(said);
	}
	return 0;
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
	} else if (!strcmp(argv[1], "destroy")) {
		uint8_t bytes[8] = { 29 };

		put32(bytes + 4, id);
		if (write(fd, bytes, sizeof(bytes)) != sizeof(bytes)) {
			puts(strerrorname_np(errno));
			return 1;
		}
	} else if (!strcmp(argv[1], "serve")) {
		return serve(fd, strrchr(argv[2], '/') + 1, argv[3]);
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
