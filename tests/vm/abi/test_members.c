// SPDX-License-Identifier: GPL-2.0
/* Who may use a service, and who may change one. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"
#include "who.h"


/* One attempt to use a service, by whom and with which end. */
struct attempt {
	struct device *device;
	const char *who;
	uint32_t svc;
	int error;
	bool as_nobody;
	bool new_netns;
};

static void use(void *argument)
{
	const struct attempt *attempt = argument;
	struct device own;
	uint32_t lni;
	int error;

	if (attempt->new_netns && unshare(CLONE_NEWNET))
		die("unshare");
	if (attempt->as_nobody)
		become_nobody();
	device_open(&own, attempt->device->path);
	error = lni_alloc(&own, attempt->svc, &lni);
	check(error == attempt->error, "LNI_ALLOC by %s: %s", attempt->who,
	      error ? strerrorname_np(error) : "ok");
}

static void attempt(struct device *device, const char *who, uint32_t svc, int error,
		    bool as_nobody, bool new_netns)
{
	struct attempt made = { device, who, svc, error, as_nobody, new_netns };

	as_child(use, &made);
}

static void test_switch(struct device *device)
{
	int was = is_enabled(device, DEFAULT_SVC);

	enable(device, DEFAULT_SVC, 0);
	attempt(device, "root, service off", DEFAULT_SVC, EKEYREVOKED, false, false);
	attempt(device, "nobody, service off", DEFAULT_SVC, EKEYREVOKED, true, false);
	enable(device, DEFAULT_SVC, 1);
	attempt(device, "root, service on", DEFAULT_SVC, 0, false, false);
	attempt(device, "nobody, service on", DEFAULT_SVC, 0, true, false);
	enable(device, DEFAULT_SVC, was);
}

static void test_user(struct device *device)
{
	struct service asked = service_with_vni(40);
	uint32_t id;

	add_member(&asked, 0, NOBODY, MEMBER_UID);
	check(!alloc(device, &asked, &id), "SVC_ALLOC for user 65534");
	attempt(device, "its user", id, 0, true, false);
	attempt(device, "root, not its user", id, EPERM, false, false);
	check(!destroy(device, id), "SVC_DESTROY after its user's end");
	asked = service_with_vni(40);
	add_member(&asked, 1, NOBODY, MEMBER_GID);
	check(!alloc(device, &asked, &id), "SVC_ALLOC for group 65534");
	attempt(device, "its group", id, 0, true, false);
	attempt(device, "root, not its group", id, EPERM, false, false);
	enable(device, id, 0);
	attempt(device, "root, service off and not a member", id, EKEYREVOKED, false, false);
	destroy(device, id);
}

static void test_namespace(struct device *device)
{
	struct service asked = service_with_vni(40);
	struct stat here;
	struct request made;
	uint32_t id;

	if (stat("/proc/self/ns/net", &here))
		die("/proc/self/ns/net");
	asked.bytes[SVC_FLAGS] |= FLAG_MEMBERS;
	alloc(device, &asked, &id);
	attempt(device, "root, service without members", id, EPERM, false, false);
	enable(device, id, 0);
	made = brief(84, id, here.st_ino);
	expect("SVC_SET_NETNS to our own", device->fd, made.bytes, made.size, 0);
	enable(device, id, 1);
	attempt(device, "root in its namespace", id, 0, false, false);
	attempt(device, "nobody in its namespace", id, 0, true, false);
	attempt(device, "root in another namespace", id, EPERM, false, true);
	attempt(device, "nobody in another namespace", id, EPERM, true, true);
	destroy(device, id);
}

void test_members(struct device *device)
{
	test_switch(device);
	test_user(device);
	test_namespace(device);
}

/* Each command on what is there, harmless if it went through. */
static void commands_of(struct device *device, const char *who)
{
	static struct answer a;
	struct request made;
	char name[64];

	for (size_t i = 0; i < COMMANDS; i++) {
		unsigned int op = commands[i].op;

		if (!commands[i].admin)
			continue;
		made = on_svc(op, commands[i].answer ? &a : NULL, NO_SVC);
		snprintf(name, sizeof(name), "%s by %s", commands[i].name, who);
		expect(name, device->fd, made.bytes, made.size, EPERM);
		snprintf(name, sizeof(name), "%s of a wrong size by %s", commands[i].name, who);
		expect(name, device->fd, made.bytes, made.size + 1, EINVAL);
	}
	made = request(52, &a);
	snprintf(name, sizeof(name), "DEV_INFO_GET by %s", who);
	expect(name, device->fd, made.bytes, made.size, 0);
	made = request(34, &a);
	snprintf(name, sizeof(name), "GET_DEV_PROPERTIES by %s", who);
	expect(name, device->fd, made.bytes, made.size, 0);
	for (size_t i = 0; i < 6; i++) {
		static const unsigned int open[] = { 27, 45, 49, 50, 54, 79 };

		made = on_svc(open[i], &a, open[i] == 27 || open[i] == 49 ? 0 : DEFAULT_SVC);
		snprintf(name, sizeof(name), "%s by %s", command(open[i])->name, who);
		expect(name, device->fd, made.bytes, made.size, 0);
	}
}

static void as_nobody(void *argument)
{
	struct device *device = argument;
	struct device own;

	become_nobody();
	device_open(&own, device->path);
	check(own.fd >= 0, "open by nobody");
	commands_of(&own, "nobody");
}

/* All capabilities, but not those of the initial user namespace. */
static void as_inner_root(void *argument)
{
	struct device *device = argument;

	if (unshare(CLONE_NEWUSER)) {
		printf("SKIPPED root of a user namespace: %s\n", strerror(errno));
		return;
	}
	commands_of(device, "root of a user namespace");
}

void test_privileges(struct device *device)
{
	as_child(as_nobody, device);
	as_child(as_inner_root, device);
}
