// SPDX-License-Identifier: GPL-2.0
/*
 * The text form of a NIC, the same as that of cxi-sim's --nic:
 * KIND[,pci=DDDD:BB:DD.F][,cxi=N][,netdev=NAME][,numa=N][,variant=V5+V7]
 * and, here only, nid=0xN.
 */
#include <linux/kernel.h>
#include <linux/string.h>

#include "emu_private.h"

static const char * const kinds[] = {
	[EMU_C1] = "c1", [EMU_C2] = "c2", [EMU_C1VF] = "c1vf", [EMU_C2VF] = "c2vf",
};

const char *emu_kind_name(enum emu_kind kind)
{
	return kinds[kind];
}

static int parse_address(const char *text, struct emu_spec *spec)
{
	unsigned int domain, bus, device, function;
	char end;

	if (sscanf(text, "%4x:%2x:%2x.%1x%c", &domain, &bus, &device,
		   &function, &end) != 4)
		return -EINVAL;
	/* Bus 0 would leave no number for the root bus above. */
	if (!bus || device > 31 || function > 7)
		return -EINVAL;
	spec->placed = true;
	spec->domain = domain;
	spec->bus = bus;
	spec->devfn = PCI_DEVFN(device, function);
	return 0;
}

static int parse_variants(char *text, struct emu_spec *spec)
{
	char *name;

	while ((name = strsep(&text, "+"))) {
		unsigned int number;

		if ((*name != 'V' && *name != 'v') ||
		    kstrtouint(name + 1, 10, &number) || number > 17 ||
		    !(BIT(number) & EMU_V_KNOWN)) {
			pr_err("cxi-emu: no variant \"%s\" here\n", name);
			return -EINVAL;
		}
		spec->variants |= BIT(number);
	}
	return 0;
}

static int parse_pair(const char *key, char *value, struct emu_spec *spec)
{
	if (!strcmp(key, "pci"))
		return parse_address(value, spec);
	if (!strcmp(key, "variant"))
		return parse_variants(value, spec);
	if (!strcmp(key, "netdev"))
		return strscpy(spec->netdev, value, IFNAMSIZ) > 0 ? 0 : -EINVAL;
	if (!strcmp(key, "numa")) {
		spec->numa_given = true;
		return kstrtoint(value, 10, &spec->numa);
	}
	if (!strcmp(key, "cxi")) {
		unsigned short number;
		int rc = kstrtou16(value, 10, &number);

		spec->cxi = number;
		return rc;
	}
	if (!strcmp(key, "nid")) {
		u32 nid;
		int rc = kstrtou32(value, 0, &nid);

		spec->nid = nid;
		return rc;
	}
	return -EINVAL;
}

int emu_spec_parse(char *text, struct emu_spec *spec)
{
	char *part = strsep(&text, ",");
	int kind = match_string(kinds, ARRAY_SIZE(kinds), part);

	*spec = (struct emu_spec){ .cxi = -1, .numa = NUMA_NO_NODE, .nid = -1 };
	if (kind < 0) {
		pr_err("cxi-emu: no kind \"%s\": use c1, c2, c1vf or c2vf\n", part);
		return -EINVAL;
	}
	spec->kind = kind;
	while ((part = strsep(&text, ","))) {
		char *key = strsep(&part, "=");

		if (!part || parse_pair(key, part, spec)) {
			pr_err("cxi-emu: cannot take %s=%s: use pci, cxi, netdev, numa, nid or variant\n",
			       key, part ?: "");
			return -EINVAL;
		}
	}
	return 0;
}
