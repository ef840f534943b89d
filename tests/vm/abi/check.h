/* SPDX-License-Identifier: GPL-2.0 */
/* Checks: one line each, and a count at the end. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sends and compares the errno; 0 is success with all bytes taken. */
bool expect(const char *name, int fd, const void *request, size_t size, int error);
/* Compares two of them. */
void is(const char *name, int got, int error);
/* The same in a child that is somebody else; its checks are counted here. */
void as_child(void (*body)(void *), void *argument);
/* What identity a child may take on. */
void become_nobody(void);

void die(const char *what);
int summary(void);

#endif
