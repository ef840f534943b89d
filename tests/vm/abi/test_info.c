// SPDX-License-Identifier: GPL-2.0
/* What the device says of itself, against what sysfs says of it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "device.h"
#include "fields.h"
#include "request.h"

static long long property(struct device *device, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "properties/%s", file);
	return device_number(device, path);
}

/* A file that an older driver lacks proves nothing. */
static void same_word(struct device *device, const char *what, const char *file,
		      const struct answer *a, size_t at)
{
	char path[64], text[64];
	uint32_t got = get32(a->bytes, at);

	snprintf(path, sizeof(path), "properties/%s", file);
	if (!device_text(device, path, text, sizeof(text)))
		return;
	check(got == (uint32_t)property(device, file), "%s %s: %#x, sysfs %s", what, file, got,
	      text);
}

static uint32_t version_of(const char *text)
{
	if (!strcmp(text, "1.0"))
		return 0x11;
	return !strcmp(text, "1.1") ? 0x12 : !strcmp(text, "2.0") ? 0x21 : 0;
}

static void same_version(struct device *device, const char *what, uint32_t got)
{
	char text[16] = "";

	device_text(device, "properties/cassini_version", text, sizeof(text));
	check(got == version_of(text), "%s version: %#x, sysfs %s", what, got, text);
}

static void same_card(struct device *device, const struct answer *a)
{
	char text[64] = "", cut[INFO_FRU_SIZE] = "";

	check(get32(a->bytes, INFO_VENDOR) == (uint32_t)device_number(device, "vendor"),
	      "DEV_INFO_GET vendor");
	check(get32(a->bytes, INFO_DEVICE) == (uint32_t)device_number(device, "device"),
	      "DEV_INFO_GET device");
	check((int64_t)get64(a->bytes, INFO_SPEED) == property(device, "speed"),
	      "DEV_INFO_GET speed");
	check(a->bytes[INFO_LINK] == property(device, "link"), "DEV_INFO_GET link");
	device_text(device, "fru/description", text, sizeof(text));
	snprintf(cut, sizeof(cut), "%s", text);
	check(!memcmp(a->bytes + INFO_FRU, cut, sizeof(cut)), "DEV_INFO_GET description: %.16s",
	      a->bytes + INFO_FRU);
}

static void test_dev_info(struct device *device)
{
	static struct answer a;
	struct request made = request(52, &a);
	size_t i;

	if (!expect("DEV_INFO_GET", device->fd, made.bytes, made.size, 0))
		return;
	check(written(&a) == 120, "DEV_INFO_GET writes %zu of 120 bytes", written(&a));
	for (i = 0; i < sizeof(info_words) / sizeof(*info_words); i++)
		same_word(device, "DEV_INFO_GET", info_words[i].file, &a, info_words[i].at);
	for (i = 0; i < 8; i++)
		check(get16(a.bytes, resources[i].info) == property(device, resources[i].file),
		      "DEV_INFO_GET %s", resources[i].file);
	same_version(device, "DEV_INFO_GET", get32(a.bytes, INFO_VERSION));
	if (!device->vf)
		same_card(device, &a);
}

static void test_properties(struct device *device)
{
	static struct answer a;
	struct request made = request(34, &a);
	size_t i;

	if (!expect("GET_DEV_PROPERTIES", device->fd, made.bytes, made.size, 0))
		return;
	check(written(&a) == 84, "GET_DEV_PROPERTIES writes %zu of 84 bytes", written(&a));
	for (i = 0; i < sizeof(property_words) / sizeof(*property_words); i++)
		same_word(device, "GET_DEV_PROPERTIES", property_words[i].file, &a,
			  property_words[i].at);
	for (i = 0; i < 8; i++)
		check(get16(a.bytes, PROP_LIMITS + 4 * i) == property(device, resources[i].file),
		      "GET_DEV_PROPERTIES %s", resources[i].file);
	same_version(device, "GET_DEV_PROPERTIES", get32(a.bytes, PROP_VERSION));
}

void test_info(struct device *device)
{
	test_dev_info(device);
	test_properties(device);
}
