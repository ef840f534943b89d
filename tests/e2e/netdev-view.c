/*
 * Which NICs would libfabric's CXI provider use here, and with which netdev? Makes the reads of libcxi's device list and of
 * cxip_query_if_list(), at the same paths and in the same order, and prints a line for each NIC of class cxi_user:
 *
 *   cxi0 hsn0 02:00:00:00:00:12 up 200000
 *   cxi1 unusable: /dev/cxi1 cannot be opened
 *
 * The commands to /dev/cxiN are left out; libcxi takes from sysfs what they do not answer. Build it static: it runs in a
 * container without libraries.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CXI_USER "/sys/class/cxi_user"
#define NET "/sys/class/net"
#define ASIC 0
#define NET_ADDR_SET 3

/* The first word of a file; NULL when there is none. */
static const char *word(char value[64], const char *format, ...)
{
	char path[PATH_MAX];
	va_list names;
	FILE *file;
	int found;

	va_start(names, format);
	vsnprintf(path, sizeof(path), format, names);
	va_end(names);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	found = fscanf(file, "%63s", value);
	fclose(file);
	return found == 1 ? value : NULL;
}

static long number(const char *text, long otherwise)
{
	return text ? strtol(text, NULL, 0) : otherwise;
}

/* What libcxi wants of a NIC before it lists it: its node, its place, its BAR. NULL, or why not. */
static const char *not_listed(const char *cxi, char pci[PATH_MAX])
{
	static char why[PATH_MAX + 64];
	char path[PATH_MAX + 16];
	struct stat bar;
	int node;

	snprintf(path, sizeof(path), "/dev/%s", cxi);
	snprintf(why, sizeof(why), "%s cannot be opened", path);
	node = open(path, O_RDWR | O_CLOEXEC);
	if (node < 0)
		return why;
	close(node);
	snprintf(path, sizeof(path), CXI_USER "/%s/device", cxi);
	if (!realpath(path, pci))
		return "no PCI function";
	snprintf(path, sizeof(path), "%s/resource0", pci);
	if (stat(path, &bar))
		return "no resource0";
	return NULL;
}

static bool retry_handler_runs(const char *pci)
{
	char value[64];

	if (getenv("CXIP_SKIP_RH_CHECK") || number(word(value, "%s/properties/platform", pci), ASIC) != ASIC)
		return true;
	return number(word(value, "%s/properties/pct_eq", pci), 0) != 0;
}

/*
 * The netdev whose `device` link names the PCI function. libfabric goes on after ENOENT, as a dangling entry gives it, and
 * ENOTDIR (bonding_masters); any other error ends its search.
 */
static bool find_netdev(const char *address, char netdev[NAME_MAX + 1])
{
	char path[PATH_MAX], target[PATH_MAX];
	bool found = false;
	glob_t entries;

	if (glob(NET "/*", 0, NULL, &entries))
		return false;
	for (size_t i = 0; i < entries.gl_pathc && !found; i++) {
		snprintf(path, sizeof(path), "%s/device", entries.gl_pathv[i]);
		ssize_t length = readlink(path, target, sizeof(target) - 1);

		if (length < 0 && errno != ENOENT && errno != ENOTDIR)
			break;
		if (length < 0)
			continue;
		target[length] = '\0';
		found = !strcmp(basename(target), address);
		if (found)
			snprintf(netdev, NAME_MAX + 1, "%s", basename(entries.gl_pathv[i]));
	}
	globfree(&entries);
	return found;
}

/* A fabric address: set by software, locally administered, unicast. */
static bool is_ama(const char *netdev)
{
	char value[64];

	if (number(word(value, NET "/%s/addr_assign_type", netdev), -1) != NET_ADDR_SET)
		return false;
	return word(value, NET "/%s/address", netdev) && (strtol(value, NULL, 16) & 3) == 2;
}

static bool is_up(const char *netdev)
{
	char value[64];

	if (!word(value, NET "/%s/operstate", netdev))
		return false;
	if (strcmp(value, "unknown"))
		return !strcmp(value, "up");
	return number(word(value, NET "/%s/carrier", netdev), 0) == 1;
}

static void judge(const char *cxi)
{
	char pci[PATH_MAX], netdev[NAME_MAX + 1], address[64] = "", speed[64] = "?";
	const char *why = not_listed(cxi, pci);

	if (!why && !retry_handler_runs(pci))
		why = "no retry handler";
	if (!why && !find_netdev(basename(pci), netdev))
		why = "no netdev";
	if (!why && !is_ama(netdev))
		why = "no AMA";
	if (!why && !is_up(netdev))
		why = "link down";
	if (why) {
		printf("%s unusable: %s\n", cxi, why);
		return;
	}
	word(address, NET "/%s/address", netdev);
	word(speed, NET "/%s/speed", netdev);
	printf("%s %s %s up %s\n", cxi, netdev, address, speed);
}

int main(void)
{
	glob_t nics;

	if (glob(CXI_USER "/cxi*", 0, NULL, &nics)) {
		printf("no class cxi_user\n");
		return 1;
	}
	for (size_t i = 0; i < nics.gl_pathc; i++)
		judge(basename(nics.gl_pathv[i]));
	return 0;
}
