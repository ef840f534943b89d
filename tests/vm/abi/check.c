// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "check.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* Shared with children. */
static struct counts {
	unsigned int done;
	unsigned int failed;
} *counts;

static struct counts *get_counts(void)
{
	if (!counts) {
		counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (counts == MAP_FAILED)
			die("mmap");
	}
	return counts;
}

void die(const char *what)
{
	fprintf(stderr, "cxi-abi: %s: %s\n", what, strerror(errno));
	exit(2);
}

void check(bool good, const char *format, ...)
{
	va_list arguments;

	get_counts()->done++;
	if (!good)
		get_counts()->failed++;
	printf("%s ", good ? "PASS" : "FAIL");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

void is(const char *name, int got, int error)
{
	check(got == error, "%s: %s%s%s", name, error ? strerrorname_np(error) : "ok",
	      got == error ? "" : ", got ",
	      got == error ? "" : got ? strerrorname_np(got) : "ok");
}

bool expect(const char *name, int fd, const void *request, size_t size, int error)
{
	ssize_t rc = write(fd, request, size);
	int got = rc < 0 ? errno : 0;
	bool good = got == error && (error || rc == (ssize_t)size);

	if (good)
		check(true, "%s: %s", name, error ? strerrorname_np(error) : "ok");
	else
		check(false, "%s: expected %s, got %s (%zd)", name,
		      error ? strerrorname_np(error) : "ok",
		      got ? strerrorname_np(got) : "ok", rc);
	return good;
}

void as_child(void (*body)(void *), void *argument)
{
	int status;
	pid_t child;

	get_counts();
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		body(argument);
		exit(0);
	}
	if (waitpid(child, &status, 0) < 0)
		die("waitpid");
	if (status)
		check(false, "child ended with status %#x", status);
}

void become_nobody(void)
{
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		die("become nobody");
}

int summary(void)
{
	printf("%u checks, %u failed\n", get_counts()->done, get_counts()->failed);
	return get_counts()->failed || !get_counts()->done;
}
