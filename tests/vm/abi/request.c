// SPDX-License-Identifier: GPL-2.0
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"

void put16(void *bytes, size_t at, uint16_t value)
{
	uint8_t *to = (uint8_t *)bytes + at;

	to[0] = value;
	to[1] = value >> 8;
}

void put32(void *bytes, size_t at, uint32_t value)
{
	put16(bytes, at, value);
	put16(bytes, at + 2, value >> 16);
}

void put64(void *bytes, size_t at, uint64_t value)
{
	put32(bytes, at, value);
	put32(bytes, at + 4, value >> 32);
}

uint16_t get16(const void *bytes, size_t at)
{
	const uint8_t *from = (const uint8_t *)bytes + at;

	return from[0] | from[1] << 8;
}

uint32_t get32(const void *bytes, size_t at)
{
	return get16(bytes, at) | (uint32_t)get16(bytes, at + 2) << 16;
}

uint64_t get64(const void *bytes, size_t at)
{
	return get32(bytes, at) | (uint64_t)get32(bytes, at + 4) << 32;
}

const struct command *command(unsigned int op)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].op == op)
			return &commands[i];
	abort();
}

void clear(struct answer *answer)
{
	memset(answer, SENTINEL, sizeof(*answer));
}

size_t written(const struct answer *answer)
{
	size_t end = sizeof(answer->bytes);

	while (end && answer->bytes[end - 1] == SENTINEL)
		end--;
	return end;
}

struct request request(unsigned int op, struct answer *answer)
{
	struct request request = { .size = command(op)->size };

	put32(request.bytes, AT_OP, op);
	if (request.size >= 16)
		put64(request.bytes, AT_RESP, (uintptr_t)answer);
	if (answer)
		clear(answer);
	return request;
}

struct request on_svc(unsigned int op, struct answer *answer, uint32_t svc)
{
	struct request made = request(op, answer);

	put32(made.bytes, AT_FIELD, svc);
	return made;
}

struct request lists(unsigned int op, struct answer *answer, uint32_t count, void *list)
{
	struct request made = on_svc(op, answer, count);

	put64(made.bytes, AT_LIST, (uintptr_t)list);
	return made;
}

struct request brief(unsigned int op, uint32_t first, uint32_t second)
{
	struct request made = request(op, NULL);

	put32(made.bytes, AT_BRIEF, first);
	if (made.size > 8)
		put32(made.bytes, AT_BRIEF_2, second);
	return made;
}

struct request svc_enable(uint32_t svc, int on)
{
	struct request made = on_svc(80, NULL, svc);

	made.bytes[AT_FIELD_2] = on;
	return made;
}

struct request set_vni_range(uint32_t svc, uint32_t min, uint32_t max)
{
	struct request made = on_svc(81, NULL, svc);

	put32(made.bytes, AT_FIELD_2, min);
	put32(made.bytes, AT_FIELD_3, max);
	return made;
}

struct request svc_alloc(struct answer *answer, const void *svc)
{
	struct request made = request(28, answer);

	memcpy(made.bytes + AT_FIELD, svc, SVC_SIZE);
	return made;
}
