// SPDX-License-Identifier: GPL-2.0
/* The right to a VNI is asked for when a domain or a communication profile is made. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"
#include "who.h"

/* VNIs 1 and 10 are the default service's; this one is nobody's. */
#define NOBODYS_VNI 777

static void test_domain(struct device *device, uint32_t lni)
{
	struct answer a;
	uint32_t domain, second;

	is("D11: DOMAIN_ALLOC", domain_alloc(device, lni, 1, 5, &a), 0);
	check(get32(a.bytes, DOMAIN_ID) >= 1 && get32(a.bytes, DOMAIN_VNI) == 1 &&
	      get32(a.bytes, DOMAIN_PID) == 5 && written(&a) == 12,
	      "D11: DOMAIN_ALLOC: domain, VNI 1, PID 5 in 12 bytes");
	domain = get32(a.bytes, DOMAIN_ID);
	is("D11: DOMAIN_ALLOC of the same PID", domain_alloc(device, lni, 1, 5, &a), EEXIST);
	is("D11: DOMAIN_ALLOC of any PID", domain_alloc(device, lni, 1, ANY_PID, &a), 0);
	check(get32(a.bytes, DOMAIN_PID) == 0, "D11: the first that is free: %u",
	      get32(a.bytes, DOMAIN_PID));
	second = get32(a.bytes, DOMAIN_ID);
	is("D11: LNI_FREE with domains", lni_free(device, lni), EBUSY);
	is("D11: DOMAIN_FREE", domain_free(device, domain), 0);
	is("D11: DOMAIN_FREE twice", domain_free(device, domain), EINVAL);
	is("D11: DOMAIN_FREE of the second", domain_free(device, second), 0);
	is("D11: DOMAIN_ALLOC with VNI 0", domain_alloc(device, lni, 0, 5, &a), EINVAL);
	is("D11: DOMAIN_ALLOC with VNI 65536", domain_alloc(device, lni, 65536, 5, &a), EINVAL);
	is("D11: DOMAIN_ALLOC with PID 512", domain_alloc(device, lni, 1, 512, &a), EINVAL);
	is("D11: DOMAIN_ALLOC on no LNI", domain_alloc(device, 4000, 1, 5, &a), EINVAL);
}

static void test_cp(struct device *device, uint32_t lni)
{
	uint32_t first, others[16];
	struct answer a;
	int made = 0;

	is("D11: CP_ALLOC", cp_alloc(device, lni, 1, TC_BEST_EFFORT, 0, &a), 0);
	first = get32(a.bytes, CP_ID);
	check(get32(a.bytes, CP_LCID) == 0 && written(&a) == 8, "D11: CP_ALLOC: LCID 0 in 8 bytes");
	is("D11: LNI_FREE with a profile", lni_free(device, lni), EBUSY);
	while (made < 16 && !cp_alloc(device, lni, 10, TC_LOW_LATENCY, 0, &a))
		others[made++] = get32(a.bytes, CP_ID);
	check(made == 15, "D11: 16 profiles: 1 and %d", made);
	is("D11: CP_ALLOC of one more", cp_alloc(device, lni, 10, TC_LOW_LATENCY, 0, &a), ENOSPC);
	is("D11: CP_ALLOC like the first", cp_alloc(device, lni, 1, TC_BEST_EFFORT, 0, &a), 0);
	check(get32(a.bytes, CP_LCID) == 0, "D11: they share it");
	is("D11: CP_FREE of the second user", cp_free(device, get32(a.bytes, CP_ID)), 0);
	while (made)
		cp_free(device, others[--made]);
	is("D11: CP_FREE", cp_free(device, first), 0);
	is("D11: CP_FREE twice", cp_free(device, first), EINVAL);
	is("D11: CP_ALLOC with VNI 0", cp_alloc(device, lni, 0, TC_BEST_EFFORT, 0, &a), EINVAL);
	is("D11: CP_ALLOC with traffic class 8", cp_alloc(device, lni, 1, 8, 0, &a), EINVAL);
	is("D11: CP_ALLOC with type 4", cp_alloc(device, lni, 1, TC_BEST_EFFORT, 4, &a), EINVAL);
	is("D11: CP_ALLOC with a class that the profile of the NIC lacks",
	   cp_alloc(device, lni, 1, TC_DEDICATED, 0, &a), EINVAL);
	is("D11: CP_ALLOC on no LNI", cp_alloc(device, 4000, 1, TC_BEST_EFFORT, 0, &a), EINVAL);
}

static int ethernet(struct device *own, const void *argument)
{
	uint32_t lni;
	struct answer a;

	(void)argument;
	return lni_alloc(own, DEFAULT_SVC, &lni) ?: cp_alloc(own, lni, 0, TC_ETHERNET, 0, &a);
}

static void test_strangers(struct device *device, uint32_t lni)
{
	struct device other;
	struct answer a;
	uint32_t others;

	is("D11: DOMAIN_ALLOC by nobody", domain_as(true, HERE, device, DEFAULT_SVC, 1), 0);
	is("D11: CP_ALLOC by nobody", cp_as(true, HERE, device, DEFAULT_SVC, 1), 0);
	is("D11: DOMAIN_ALLOC by nobody with nobody's VNI",
	   domain_as(true, HERE, device, DEFAULT_SVC, NOBODYS_VNI), ENOENT);
	is("D11: CP_ALLOC by nobody with nobody's VNI",
	   cp_as(true, HERE, device, DEFAULT_SVC, NOBODYS_VNI), ENOENT);
	is("D11: CP_ALLOC by nobody for Ethernet", as(true, HERE, device, ethernet, NULL), EPERM);
	is("D11: CP_ALLOC by root for Ethernet", as(false, HERE, device, ethernet, NULL), 0);
	device_open(&other, device->path);
	lni_alloc(&other, DEFAULT_SVC, &others);
	is("D11: DOMAIN_ALLOC by root with nobody's VNI",
	   domain_alloc(&other, others, NOBODYS_VNI, ANY_PID, &a), 0);
	is("D11: DOMAIN_ALLOC by nobody, now that root has it",
	   domain_as(true, HERE, device, DEFAULT_SVC, NOBODYS_VNI), EPERM);
	is("D11: CP_ALLOC by nobody, as no profile to send has it",
	   cp_as(true, HERE, device, DEFAULT_SVC, NOBODYS_VNI), ENOENT);
	close(other.fd);
	is("D11: DOMAIN_ALLOC by nobody after the end of root's file",
	   domain_as(true, HERE, device, DEFAULT_SVC, NOBODYS_VNI), ENOENT);
	is("D11: CP_ALLOC by root with nobody's VNI",
	   cp_alloc(device, lni, NOBODYS_VNI, TC_BEST_EFFORT, 0, &a), 0);
	cp_free(device, get32(a.bytes, CP_ID));
}

/* The right goes by the NIC's profiles, not by the service that the LNI is on. */
static void test_other_service(struct device *device, uint32_t lni)
{
	struct service asked = service_with_vni(60);
	struct answer a;
	uint32_t id, domain;

	asked.bytes[SVC_FLAGS] |= FLAG_TCS;
	asked.bytes[SVC_TCS + TC_BEST_EFFORT] = 1;
	add_member(&asked, 0, NOBODY, MEMBER_UID);
	alloc(device, &asked, &id);
	is("D11: DOMAIN_ALLOC by root with a VNI of nobody's service",
	   domain_alloc(device, lni, 60, ANY_PID, &a), EPERM);
	is("D11: CP_ALLOC by root with it",
	   cp_alloc(device, lni, 60, TC_BEST_EFFORT, 0, &a), EPERM);
	is("D11: DOMAIN_ALLOC by its user on another service's LNI",
	   domain_as(true, HERE, device, DEFAULT_SVC, 60), 0);
	enable(device, id, 0);
	is("D11: DOMAIN_ALLOC by its user while it is off",
	   domain_as(true, HERE, device, DEFAULT_SVC, 60), ENOENT);
	is("D11: DOMAIN_ALLOC by root while it is off",
	   domain_alloc(device, lni, 60, ANY_PID, &a), 0);
	domain_free(device, get32(a.bytes, DOMAIN_ID));
	destroy(device, id);

	asked = service_with_vni(60);
	asked.bytes[SVC_FLAGS] |= FLAG_TCS;
	asked.bytes[SVC_TCS + TC_BEST_EFFORT] = 1;
	alloc(device, &asked, &id);
	is("D11: CP_ALLOC with the service's class",
	   cp_alloc(device, lni, 60, TC_BEST_EFFORT, 0, &a), 0);
	cp_free(device, get32(a.bytes, CP_ID));
	is("D11: CP_ALLOC with another class",
	   cp_alloc(device, lni, 60, TC_LOW_LATENCY, 0, &a), EINVAL);
	is("D11: DOMAIN_ALLOC with its VNI", domain_alloc(device, lni, 60, ANY_PID, &a), 0);
	domain = get32(a.bytes, DOMAIN_ID);
	is("D11: SVC_DESTROY while a domain has its VNI", destroy(device, id), 0);
	is("D11: DOMAIN_FREE after it", domain_free(device, domain), 0);
}

void test_rights(struct device *device)
{
	int was = is_enabled(device, DEFAULT_SVC);
	uint32_t lni;

	enable(device, DEFAULT_SVC, 1);
	is("LNI_ALLOC", lni_alloc(device, DEFAULT_SVC, &lni), 0);
	test_domain(device, lni);
	test_cp(device, lni);
	test_strangers(device, lni);
	test_other_service(device, lni);
	is("LNI_FREE after all of it", lni_free(device, lni), 0);
	enable(device, DEFAULT_SVC, was);
}
