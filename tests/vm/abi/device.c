// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "device.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

void device_open(struct device *device, const char *path)
{
	char link[PATH_MAX], real[PATH_MAX];

	*device = (struct device){ .path = path };
	snprintf(device->name, sizeof(device->name), "%s", basename(path));
	snprintf(link, sizeof(link), "/sys/class/cxi_user/%s/device", device->name);
	if (!realpath(link, real))
		die(link);
	snprintf(device->pci, sizeof(device->pci), "%s", real);
	device->fd = open(path, O_RDWR | O_CLOEXEC);
	if (device->fd < 0)
		die(path);
	snprintf(real, sizeof(real), "%.4000s/physfn", device->pci);
	device->vf = !access(real, F_OK);
}

bool device_text(const struct device *device, const char *file, char *to, int size)
{
	char path[PATH_MAX];
	FILE *stream;
	bool good;

	snprintf(path, sizeof(path), "%.4000s/%.90s", device->pci, file);
	stream = fopen(path, "re");
	if (!stream)
		return false;
	good = fgets(to, size, stream);
	fclose(stream);
	if (good)
		to[strcspn(to, "\n")] = '\0';
	return good;
}

long long device_number(const struct device *device, const char *file)
{
	char text[64];

	if (!device_text(device, file, text, sizeof(text)))
		return LLONG_MIN;
	return strtoll(text, NULL, 0);
}

int device_clients(const struct device *device)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/sys/class/cxi_user/%s/clients", device->name);
	directory = opendir(path);
	if (!directory)
		return -1;
	while ((entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}
