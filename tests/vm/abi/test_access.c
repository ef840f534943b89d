// SPDX-License-Identifier: GPL-2.0
/* Whom a service admits: its entries, and namespaces that are added to them. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"
#include "who.h"

/* Members restricted, none named, and off, so that namespaces can be added. */
static uint32_t for_namespaces(struct device *device)
{
	struct service asked = service_with_vni(40);
	uint32_t id;

	asked.bytes[SVC_FLAGS] |= FLAG_MEMBERS;
	is("SVC_ALLOC for namespaces", alloc(device, &asked, &id), 0);
	enable(device, id, 0);
	return id;
}

static void test_namespaces_add_up(struct device *device)
{
	struct netns first = netns_make(), second = netns_make(), third = netns_make();
	uint32_t low = first.inode < second.inode ? first.inode : second.inode;
	uint32_t id = for_namespaces(device), got;

	is("D2: SVC_SET_NETNS", set_netns(device, id, first.inode), 0);
	is("D2: SVC_SET_NETNS with the same again", set_netns(device, id, first.inode), EEXIST);
	is("D2: SVC_SET_NETNS with another", set_netns(device, id, second.inode), 0);
	is("D2: SVC_SET_NETNS with -1", set_netns(device, id, 0xffffffff), EBADR);
	is("D2: SVC_GET_NETNS", get_netns(device, id, &got), 0);
	check(got == low, "D2: SVC_GET_NETNS gives the lowest of the two");
	enable(device, id, 1);
	is("D2: LNI_ALLOC in the first", use_as(false, first.fd, device, id), 0);
	is("D2: LNI_ALLOC in the second", use_as(true, second.fd, device, id), 0);
	is("D2: LNI_ALLOC in a third", use_as(false, third.fd, device, id), EPERM);
	destroy(device, id);
	netns_end(&first);
	netns_end(&second);
	netns_end(&third);
}

static void refused(struct device *device, const char *name, const struct service *asked,
		    int error)
{
	uint32_t id;
	int got = alloc(device, asked, &id);

	is(name, got, error);
	if (!got)
		destroy(device, id);
}

static void test_equal_members(struct device *device)
{
	struct service asked = service_with_vni(40);
	uint32_t id;

	add_member(&asked, 0, 1000, MEMBER_UID);
	add_member(&asked, 1, 1000, MEMBER_UID);
	refused(device, "D3: SVC_ALLOC with one user twice", &asked, EEXIST);
	add_member(&asked, 0, 1000, MEMBER_GID);
	add_member(&asked, 1, 1000, MEMBER_GID);
	refused(device, "D3: SVC_ALLOC with one group twice", &asked, EEXIST);
	add_member(&asked, 0, 1000, MEMBER_UID);
	refused(device, "D3: SVC_ALLOC with a user and a group of one number", &asked, 0);
	add_member(&asked, 0, 0xffffffff, MEMBER_UID);
	refused(device, "D3: SVC_ALLOC with user -1", &asked, EBADR);
	/* Nothing of them is left. */
	asked = service_with_vni(40);
	is("D3: SVC_ALLOC after the refusals", alloc(device, &asked, &id), 0);
	destroy(device, id);
}

/* The descriptor has no place for a namespace: it gets 0, or the number before it. */
static void test_namespace_member(struct device *device)
{
	struct service asked = service_with_vni(40);
	uint32_t id, got = 1;

	add_member(&asked, 0, 4026531999u, MEMBER_NETNS);
	is("D4: SVC_ALLOC with a namespace among the members", alloc(device, &asked, &id), 0);
	is("D4: SVC_GET_NETNS of it", get_netns(device, id, &got), 0);
	check(got == 0, "D4: it is namespace 0: %u", got);
	destroy(device, id);
	add_member(&asked, 0, 1234, MEMBER_UID);
	add_member(&asked, 1, 4026531999u, MEMBER_NETNS);
	is("D4: SVC_ALLOC with a user before it", alloc(device, &asked, &id), 0);
	is("D4: SVC_GET_NETNS of it", get_netns(device, id, &got), 0);
	check(got == 1234, "D4: it is the user's number: %u", got);
	destroy(device, id);
	add_member(&asked, 0, 1, MEMBER_NETNS);
	refused(device, "D4: SVC_ALLOC with two of them", &asked, EEXIST);
}

/* Numbers of namespaces that are gone are given again: the lowest free one is next. */
static bool comes_again(uint32_t inode, struct netns *made)
{
	for (int tries = 0; tries < 6000; tries++) {
		*made = netns_make();
		if (made->inode == inode)
			return true;
		netns_end(made);
		/* The kernel ends them in its own time. */
		usleep(10000);
	}
	return false;
}

static void test_namespace_ends(struct device *device)
{
	struct netns netns = netns_make();
	uint32_t id = for_namespaces(device), inode = netns.inode, got;

	set_netns(device, id, inode);
	enable(device, id, 1);
	is("LNI_ALLOC in a namespace", use_as(true, netns.fd, device, id), 0);
	netns_end(&netns);
	is("SVC_GET_NETNS after its end", get_netns(device, id, &got), 0);
	check(got == inode, "SVC_GET_NETNS still gives it");
	if (comes_again(inode, &netns)) {
		is("LNI_ALLOC in a new namespace with the same inode",
		   use_as(true, netns.fd, device, id), 0);
		netns_end(&netns);
	} else {
		check(false, "a new namespace gets the inode of one that is gone");
	}
	is("SVC_DESTROY after the end of its namespace", destroy(device, id), 0);
}

void test_access(struct device *device)
{
	test_namespaces_add_up(device);
	test_equal_members(device);
	test_namespace_member(device);
	test_namespace_ends(device);
}

/* Commands of a VF are carried out by a thread of its PF: root, in the first namespace. */
void test_vf_access(struct device *vf, struct device *pf)
{
	struct service for_nobody = service_with_vni(40), for_root = service_with_vni(40);
	struct netns netns = netns_make();
	uint32_t id = for_namespaces(pf);

	set_netns(pf, id, netns.inode);
	enable(pf, id, 1);
	is("D5: PF: LNI_ALLOC in its namespace", use_as(false, netns.fd, pf, id), 0);
	is("D5: VF: LNI_ALLOC in its namespace", use_as(false, netns.fd, vf, id), EPERM);
	destroy(pf, id);
	add_member(&for_nobody, 0, NOBODY, MEMBER_UID);
	alloc(pf, &for_nobody, &id);
	is("D5: PF: LNI_ALLOC by its user", use_as(true, HERE, pf, id), 0);
	is("D5: VF: LNI_ALLOC by its user", use_as(true, HERE, vf, id), EPERM);
	destroy(pf, id);
	add_member(&for_root, 0, 0, MEMBER_UID);
	alloc(pf, &for_root, &id);
	is("D5: PF: LNI_ALLOC by nobody on a service of root", use_as(true, HERE, pf, id), EPERM);
	is("D5: VF: LNI_ALLOC by nobody on a service of root", use_as(true, netns.fd, vf, id), 0);
	is("D5: VF: DOMAIN_ALLOC by nobody with nobody's VNI",
	   domain_as(true, netns.fd, vf, id, 41), 0);
	destroy(pf, id);
	netns_end(&netns);
}
