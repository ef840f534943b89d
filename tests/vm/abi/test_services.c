// SPDX-License-Identifier: GPL-2.0
/* Services: the default one, lists, making, switching and ending them. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "request.h"
#include "service.h"

/* As the driver makes it: VNIs 1 and 10, four TCs, everything, 512 TLEs. */
static void test_default(struct device *device)
{
	uint8_t svc[SVC_SIZE];
	char path[64], text[64] = "";
	FILE *stream = fopen("/sys/module/cxi_ss1/parameters/disable_default_svc", "re");
	int i;

	if (!stream || !fgets(text, sizeof(text), stream))
		die("disable_default_svc");
	fclose(stream);
	is("SVC_GET 1", get_service(device, DEFAULT_SVC, svc), 0);
	check((svc[SVC_FLAGS] & ~FLAG_ENABLE) == (FLAG_VNIS | FLAG_LIMITS),
	      "default service: flags %#x", svc[SVC_FLAGS]);
	check(!(svc[SVC_FLAGS] & FLAG_ENABLE) == (text[0] == 'Y'),
	      "default service follows disable_default_svc=%c", text[0]);
	check(svc[SVC_VNI_COUNT] == 2 && get16(svc, SVC_VNIS) == 1 &&
	      get16(svc, SVC_VNIS + 2) == 10, "default service: VNIs 1 and 10");
	check(!memcmp(svc + SVC_TCS, "\1\1\1\1\0", 5), "default service: all TCs but Ethernet");
	check(get32(svc, SVC_ID) == DEFAULT_SVC, "default service: id 1");
	for (i = 0; i < 8; i++) {
		uint16_t max = get16(svc, SVC_LIMITS + 4 * i);
		uint16_t res = get16(svc, SVC_LIMITS + 4 * i + 2);

		snprintf(path, sizeof(path), "properties/%s", resources[i].file);
		if (i == RESOURCE_TLE)
			check(max == 512 && res == 512, "default service: TLEs 512/512");
		else
			check(max == device_number(device, path) && !res,
			      "default service: %s %u/0", resources[i].file, max);
	}
	is("SVC_GET of none", get_service(device, NO_SVC, svc), EINVAL);
	is("SVC_GET 0", get_service(device, 0, svc), EINVAL);
}

static uint32_t test_list(struct device *device, unsigned int op, size_t size, size_t at)
{
	const char *name = command(op)->name;
	static struct answer a, list;
	struct request made = lists(op, &a, 0, &list);
	uint32_t count;

	clear(&list);
	expect(name, device->fd, made.bytes, made.size, 0);
	count = get32(a.bytes, 0);
	check(count >= 1 && written(&a) == 4 && !written(&list), "%s without room: count %u only",
	      name, count);
	made = lists(op, &a, count, &list);
	expect(name, device->fd, made.bytes, made.size, 0);
	check(get32(a.bytes, 0) == count && written(&a) == 4, "%s: count %u", name, count);
	check(written(&list) <= count * size && written(&list) + size > count * size,
	      "%s writes %zu of %zu bytes", name, written(&list), count * size);
	check(get32(list.bytes, at) == DEFAULT_SVC, "%s: default service first", name);
	made = lists(op, &a, count + 5, &list);
	clear(&list);
	expect(name, device->fd, made.bytes, made.size, 0);
	check(get32(a.bytes, 0) == count && written(&list) <= count * size,
	      "%s with more room: the same", name);
	return count;
}

static void test_use(struct device *device)
{
	static struct answer a;
	struct request made = on_svc(50, &a, DEFAULT_SVC);

	expect("SVC_RSRC_GET 1", device->fd, made.bytes, made.size, 0);
	check(written(&a) == USE_SIZE, "SVC_RSRC_GET writes %zu of 24 bytes", written(&a));
	check(get16(a.bytes, USE_COUNTS) == 0, "SVC_RSRC_GET: no PTE in use");
	check(get16(a.bytes, USE_COUNTS + 2 * RESOURCE_LE) == 0xffff,
	      "SVC_RSRC_GET: LEs not applicable");
	check(get16(a.bytes, USE_COUNTS + 2 * RESOURCE_TLE) == 0, "SVC_RSRC_GET: no TLE in use");
	made = on_svc(50, &a, NO_SVC);
	expect("SVC_RSRC_GET of none", device->fd, made.bytes, made.size, EINVAL);
	check(!written(&a), "SVC_RSRC_GET of none writes nothing");
}

static void refused(struct device *device, const char *name, const struct service *service,
		    int error)
{
	static struct answer a;
	struct request made = svc_alloc(&a, service->bytes);

	if (expect(name, device->fd, made.bytes, made.size, error))
		check(written(&a) == 24 && !get32(a.bytes, ALLOC_ID),
		      "%s: an answer without an id", name);
}

static void test_refusals(struct device *device)
{
	struct service wrong = service(FLAG_VNIS);
	static struct answer a;
	struct request made;
	uint32_t id;

	wrong.bytes[SVC_VNI_COUNT] = 5;
	refused(device, "SVC_ALLOC with 5 VNIs", &wrong, EINVAL);
	wrong = service_with_vni(0);
	refused(device, "SVC_ALLOC with VNI 0", &wrong, EINVAL);
	wrong = service_with_vni(20);
	add_member(&wrong, 1, 0, 4);
	refused(device, "SVC_ALLOC with member type 4", &wrong, EINVAL);
	wrong = service(FLAG_VNIS | FLAG_LIMITS);
	put16(wrong.bytes, SVC_LIMITS + 2, 1);
	refused(device, "SVC_ALLOC that reserves more than its maximum", &wrong, EINVAL);
	wrong = service(FLAG_VNIS | FLAG_LIMITS);
	put16(wrong.bytes, SVC_LIMITS, 2049);
	refused(device, "SVC_ALLOC of more than the device has", &wrong, EINVAL);
	wrong = service(FLAG_VNIS | FLAG_LIMITS);
	put16(wrong.bytes, SVC_LIMITS + 4 * RESOURCE_TLE, 2048);
	put16(wrong.bytes, SVC_LIMITS + 4 * RESOURCE_TLE + 2, 2048);
	refused(device, "SVC_ALLOC of all TLEs", &wrong, ENOSPC);
	made = svc_alloc(&a, wrong.bytes);
	(void)!write(device->fd, made.bytes, made.size);
	check(!get16(a.bytes, ALLOC_AVAILABLE + 2 * RESOURCE_TLE) && !a.bytes[ALLOC_NO_TLES],
	      "SVC_ALLOC does not say how many TLEs are left");
	wrong = service(FLAG_VNIS | FLAG_LIMITS);
	put16(wrong.bytes, SVC_LIMITS, 2048);
	put16(wrong.bytes, SVC_LIMITS + 2, 2048);
	is("SVC_ALLOC of all PTEs", alloc(device, &wrong, &id), 0);
	put16(wrong.bytes, SVC_LIMITS + 2, 1);
	made = svc_alloc(&a, wrong.bytes);
	expect("SVC_ALLOC of one more", device->fd, made.bytes, made.size, ENOSPC);
	check(!get16(a.bytes, ALLOC_AVAILABLE), "SVC_ALLOC says that no PTE is left");
	destroy(device, id);
}

static void test_life(struct device *device)
{
	struct service asked = service_with_vni(20);
	uint8_t svc[SVC_SIZE];
	uint32_t id, lni, count;

	is("SVC_ALLOC", alloc(device, &asked, &id), 0);
	check(id > DEFAULT_SVC, "SVC_ALLOC: id %u", id);
	is("SVC_GET of it", get_service(device, id, svc), 0);
	check(svc[SVC_FLAGS] == (FLAG_VNIS | FLAG_ENABLE) && get16(svc, SVC_VNIS) == 20 &&
	      get32(svc, SVC_ID) == id, "it is enabled and has VNI 20");
	count = test_list(device, 27, SVC_SIZE, SVC_ID);
	check(test_list(device, 49, USE_SIZE, USE_SVC_ID) == count, "both lists are as long");
	is("SVC_ENABLE off", enable(device, id, 0), 0);
	check(is_enabled(device, id) == 0, "SVC_GET shows it off");
	is("SVC_ENABLE on", enable(device, id, 1), 0);
	check(is_enabled(device, id) == 1, "SVC_GET shows it on");
	is("LNI_ALLOC on it", lni_alloc(device, id, &lni), 0);
	check(lni >= 1, "LNI_ALLOC: lni %u", lni);
	is("SVC_ENABLE off in use", enable(device, id, 0), EBUSY);
	is("SVC_ENABLE on in use", enable(device, id, 1), EBUSY);
	is("SVC_DESTROY in use", destroy(device, id), EBUSY);
	is("LNI_FREE", lni_free(device, lni), 0);
	is("LNI_FREE twice", lni_free(device, lni), EINVAL);
	is("LNI_FREE of none", lni_free(device, 4000), EINVAL);
	is("SVC_DESTROY", destroy(device, id), 0);
	is("SVC_DESTROY twice", destroy(device, id), EINVAL);
	is("SVC_DESTROY of the default service", destroy(device, DEFAULT_SVC), EINVAL);
	is("SVC_DESTROY of none", destroy(device, NO_SVC), EINVAL);
	is("SVC_ENABLE of none", enable(device, NO_SVC, 1), EINVAL);
	is("LNI_ALLOC of none", lni_alloc(device, NO_SVC, &lni), EINVAL);
}

/* An answer that cannot be given undoes the LNI; a file's end frees all. */
static void test_ends(struct device *device)
{
	struct service asked = service_with_vni(20);
	struct request made = on_svc(1, NULL, 0);
	struct device other;
	uint32_t id, lni;

	alloc(device, &asked, &id);
	put32(made.bytes, AT_FIELD, id);
	expect("LNI_ALLOC answering to NULL", device->fd, made.bytes, made.size, EFAULT);
	is("SVC_ENABLE after it: not in use", enable(device, id, 1), 0);
	device_open(&other, device->path);
	check(device_clients(device) == 2, "two files, two clients in sysfs");
	is("LNI_ALLOC by another file", lni_alloc(&other, id, &lni), 0);
	is("LNI_FREE of another file's", lni_free(device, lni), EINVAL);
	is("SVC_DESTROY in use by another file", destroy(device, id), EBUSY);
	close(other.fd);
	check(device_clients(device) == 1, "one file, one client in sysfs");
	is("SVC_DESTROY after its end", destroy(device, id), 0);
}

void test_services(struct device *device)
{
	test_default(device);
	test_list(device, 27, SVC_SIZE, SVC_ID);
	test_list(device, 49, USE_SIZE, USE_SVC_ID);
	test_use(device);
	test_refusals(device);
	test_life(device);
	test_ends(device);
}
