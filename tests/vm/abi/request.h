/* SPDX-License-Identifier: GPL-2.0 */
/* Requests and answers as bytes. */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>

#define LONGEST	128
#define SENTINEL 0xa5

struct request {
	uint8_t bytes[LONGEST];
	size_t size;
};

/* Where an answer lands: filled with a sentinel, so that its length shows. */
struct answer {
	uint8_t bytes[1024];
};

void put16(void *bytes, size_t at, uint16_t value);
void put32(void *bytes, size_t at, uint32_t value);
void put64(void *bytes, size_t at, uint64_t value);
uint16_t get16(const void *bytes, size_t at);
uint32_t get32(const void *bytes, size_t at);
uint64_t get64(const void *bytes, size_t at);

const struct command *command(unsigned int op);
void clear(struct answer *answer);
/* How many bytes were written, as far as one can tell. */
size_t written(const struct answer *answer);

/* A request with nothing but its number, and its answer's place. */
struct request request(unsigned int op, struct answer *answer);
struct request on_svc(unsigned int op, struct answer *answer, uint32_t svc);
struct request lists(unsigned int op, struct answer *answer, uint32_t count, void *list);
struct request brief(unsigned int op, uint32_t first, uint32_t second);
struct request svc_enable(uint32_t svc, int on);
struct request set_vni_range(uint32_t svc, uint32_t min, uint32_t max);
struct request svc_alloc(struct answer *answer, const void *svc);

#endif
