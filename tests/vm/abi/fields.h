/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The commands of /dev/cxiN as tables of numbers: sizes and offsets in bytes,
 * little endian. Shared with nothing, so that it can contradict.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>
#include <stddef.h>

struct command {
	const char *name;
	unsigned int op;
	size_t size;
	size_t answer;	/* Bytes written to the answer's place; 0 is none. */
	bool admin;
};

static const struct command commands[] = {
	{ "LNI_ALLOC",            1, 24,   4, false },
	{ "LNI_FREE",             2,  8,   0, false },
	{ "DOMAIN_ALLOC",         4, 32,  12, false },
	{ "DOMAIN_FREE",          5,  8,   0, false },
	{ "CP_ALLOC",             6, 32,   8, false },
	{ "CP_FREE",              7,  8,   0, false },
	{ "SVC_LIST_GET",        27, 32,   4, false },
	{ "SVC_ALLOC",           28, 88,  24, true },
	{ "SVC_DESTROY",         29,  8,   0, true },
	{ "GET_DEV_PROPERTIES",  34, 16,  84, false },
	{ "SVC_UPDATE",          44, 88,  20, true },
	{ "SVC_GET",             45, 24,  68, false },
	{ "SVC_RSRC_LIST_GET",   49, 32,   4, false },
	{ "SVC_RSRC_GET",        50, 24,  24, false },
	{ "DEV_INFO_GET",        52, 16, 120, false },
	{ "SVC_SET_LPR",         53, 24,   0, true },
	{ "SVC_GET_LPR",         54, 24,   4, false },
	{ "SVC_SET_EXCLUSIVE_CP", 78, 12,  0, true },
	{ "SVC_GET_EXCLUSIVE_CP", 79, 24,  1, false },
	{ "SVC_ENABLE",          80, 24,   0, true },
	{ "SVC_SET_VNI_RANGE",   81, 32,   0, true },
	{ "SVC_GET_VNI_RANGE",   82, 32,   8, false },
	{ "SVC_SET_NETNS",       84, 12,   0, true },
	{ "SVC_GET_NETNS",       85, 24,   4, false },
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

/* Numbers that mean nothing. */
static const unsigned int unknown_ops[] = { 0, 110, 111, 255, 65536, 0xffffffff };
/* Numbers once used, and one that only a virtual function's driver may send. */
static const unsigned int refused_ops[] = { 35, 36, 39, 40, 41, 42, 46, 47, 93 };

/* Requests. */
#define AT_OP		0
#define AT_BRIEF	4	/* Requests of 8 and 12 bytes: first field. */
#define AT_BRIEF_2	8
#define AT_RESP		8
#define AT_FIELD	16
#define AT_FIELD_2	20
#define AT_FIELD_3	24
#define AT_FIELD_4	28
#define AT_LIST		24

/* A service, 68 bytes. */
#define SVC_SIZE	68
#define SVC_FLAGS	0
#define SVC_VNI_COUNT	1
#define SVC_VNIS	2
#define SVC_TCS		10
#define SVC_MEMBERS	16
#define SVC_LIMITS	32
#define SVC_ID		64
#define FLAG_MEMBERS	0x01
#define FLAG_VNIS	0x02
#define FLAG_TCS	0x04
#define FLAG_LIMITS	0x08
#define FLAG_ENABLE	0x10
#define FLAG_SYSTEM	0x20
#define MEMBER_UID	1
#define MEMBER_GID	2
#define MEMBER_NETNS	3

/* The use of a service's resources, 24 bytes. */
#define USE_SIZE	24
#define USE_SVC_ID	0
#define USE_TLE_POOL	4
#define USE_COUNTS	8

/* Resources in the order of every array. */
static const struct {
	const char *file;
	size_t info;
} resources[8] = {
	{ "num_ptes", 74 }, { "num_txqs", 76 }, { "num_tgqs", 78 }, { "num_eqs", 80 },
	{ "num_cts", 82 }, { "num_les", 88 }, { "num_tles", 86 }, { "num_acs", 84 },
};
#define RESOURCE_LE	5
#define RESOURCE_TLE	6

/* DEV_INFO_GET, 120 bytes: what properties/ says too. */
static const struct {
	const char *file;
	size_t at;
} info_words[] = {
	{ "nid", 0 }, { "pid_bits", 4 }, { "pid_count", 8 }, { "pid_granule", 12 },
	{ "min_free_shift", 16 }, { "rdzv_get_idx", 20 }, { "rev", 32 }, { "proto", 36 },
	{ "platform", 40 }, { "pct_eq", 44 }, { "uc_nic", 48 }, { "hpc_mtu", 56 },
	{ "system_type_identifier", 112 },
};
#define INFO_VENDOR	24
#define INFO_DEVICE	28
#define INFO_PCT_EQ	44
#define INFO_SPEED	64
#define INFO_LINK	72
#define INFO_FRU	90
#define INFO_FRU_SIZE	16
#define INFO_VERSION	108

/* GET_DEV_PROPERTIES, 84 bytes. */
static const struct {
	const char *file;
	size_t at;
} property_words[] = {
	{ "nid", 0 }, { "pid_bits", 8 }, { "pid_count", 12 }, { "pid_granule", 16 },
	{ "min_free_shift", 20 }, { "rdzv_get_idx", 24 }, { "rev", 60 }, { "proto", 64 },
	{ "platform", 68 }, { "amo_remap_to_pcie_fadd", 80 },
};
#define PROP_LIMITS	28
#define PROP_VERSION	72

/* The answer to SVC_ALLOC, 24 bytes: the id, what was there to reserve, which pools ran out. */
#define ALLOC_ID	0
#define ALLOC_AVAILABLE	4
#define ALLOC_NO_LES	20
#define ALLOC_NO_TLES	21

/* Answers to DOMAIN_ALLOC, 12 bytes, and to CP_ALLOC, 8 bytes. */
#define DOMAIN_ID	0
#define DOMAIN_VNI	4
#define DOMAIN_PID	8
#define CP_ID		0
#define CP_LCID		4
#define ANY_PID		511
#define TC_DEDICATED	0
#define TC_LOW_LATENCY	1
#define TC_BEST_EFFORT	3
#define TC_ETHERNET	5

#define DEFAULT_SVC	1
#define NO_SVC		9999

#endif
