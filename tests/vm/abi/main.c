// SPDX-License-Identifier: GPL-2.0
/*
 * cxi-abi: every command of /dev/cxiN, every error, as root and as nobody.
 *
 * cxi-abi /dev/cxiN [/dev/cxiM of a VF of it]
 *
 * Prints PASS or FAIL for each check and a count; ends with 0 if all passed.
 * Unbinds and binds the driver at the end, so that cxiN has another number.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "device.h"

int main(int argc, char **argv)
{
	struct device device, vf;

	if (argc < 2 || argc > 3 || argv[1][0] == '-') {
		fprintf(stderr, "usage: cxi-abi /dev/cxiN [/dev/cxiM of a VF of it]\n");
		return 2;
	}
	if (geteuid()) {
		fprintf(stderr, "cxi-abi: must be root\n");
		return 2;
	}
	device_open(&device, argv[1]);
	test_golden(&device);
	test_sizes(&device);
	test_pointers(&device);
	test_info(&device);
	test_services(&device);
	test_settings(&device);
	test_members(&device);
	test_access(&device);
	test_vnis(&device);
	test_rights(&device);
	test_pools(&device);
	test_update(&device);
	test_sysfs(&device);
	test_privileges(&device);
	if (argc > 2) {
		device_open(&vf, argv[2]);
		test_info(&vf);
		test_vf(&vf, &device);
		test_vf_access(&vf, &device);
		test_netdev(&device, &vf);
		close(vf.fd);
	}
	test_removal(&device);
	return summary();
}
