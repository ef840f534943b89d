// SPDX-License-Identifier: GPL-2.0
/* What the card's microcontroller knows: fru/, uc/, sensors/, settings/. */
#include <linux/kernel.h>
#include <linux/sysfs.h>

#include "ss1.h"

const char *cxi_fru_description(struct emu_nic *nic)
{
	return emu_is_c2(nic) ? "400Gb 1P N" : "200Gb 1P N";
}

/* An absent value reads as 0 bytes. */
static ssize_t fru(struct emu_nic *nic, char *to, const char *value)
{
	return emu_has(nic, EMU_V_EMPTY_FRU) ? 0 : sysfs_emit(to, "%s\n", value);
}

static ssize_t description_show(struct emu_nic *nic, char *to)
{
	return fru(nic, to, cxi_fru_description(nic));
}

static ssize_t model_show(struct emu_nic *nic, char *to)
{
	return fru(nic, to, emu_is_c2(nic) ? "SS400" : "SS11");
}

static ssize_t serial_number_show(struct emu_nic *nic, char *to)
{
	char text[24];

	snprintf(text, sizeof(text), "EMULATED%04u", nic->number);
	return fru(nic, to, text);
}

#define FRU(name, value)						\
	static ssize_t name##_show(struct emu_nic *nic, char *to)	\
	{								\
		return fru(nic, to, value);				\
	}

FRU(chassis_type, "Mezz")
FRU(engineering_change_level, "A")
FRU(manufacture_date, "2025-03-01")
FRU(manufacturer, "HPE")
FRU(name, "Slingshot NIC")
FRU(part_number, "P43012-001")
FRU(vendor, "HPE")
FRU(vendor_iana, "11")
FRU(version, "1")

const struct cxi_entry cxi_fru[] = {
	{ "asset_tag", 0444, "" },
	{ "chassis_type", 0444, .show = chassis_type_show },
	{ "description", 0444, .show = description_show },
	{ "engineering_change_level", 0444, .show = engineering_change_level_show },
	{ "manufacture_date", 0444, .show = manufacture_date_show },
	{ "manufacturer", 0444, .show = manufacturer_show },
	{ "model", 0444, .show = model_show },
	{ "name", 0444, .show = name_show },
	{ "other", 0444, "" },
	{ "part_number", 0444, .show = part_number_show },
	{ "serial_number", 0444, .show = serial_number_show },
	{ "sku", 0444, "" },
	{ "vendor", 0444, .show = vendor_show },
	{ "vendor_iana", 0444, .show = vendor_iana_show },
	{ "version", 0444, .show = version_show },
	{}
};

static ssize_t reset_store(struct emu_nic *nic, const char *from, size_t count)
{
	return count;
}

const struct cxi_entry cxi_uc[] = {
	{ "app_version", 0444, "1.6.0\n" },
	{ "bootloader_version", 0444, "1.2.0\n" },
	{ "csr1_version", 0444, "1.0.0\n" },
	{ "csr2_version", 0444, "" },
	{ "oprom_version", 0444, "1.0.3\n" },
	{ "qspi_blob_version", 0444, "1.6.0.326\n" },
	{ "reset", 0200, .store = reset_store },
	{ "srds_version", 0444, "1.0.0\n" },
	{ "timings", 0444, "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" },
	{}
};

/* Reading a sensor's state is a command, and only for root. */
const struct cxi_entry cxi_sensors[] = {
	{ "0/base_unit", 0444, "Degrees C\n" },
	{ "0/critical_high", 0444, "105\n" },
	{ "0/critical_low", 0444, "0\n" },
	{ "0/fatal_high", 0444, "115\n" },
	{ "0/fatal_low", 0444, "0\n" },
	{ "0/name", 0444, "ASIC Temperature\n" },
	{ "0/nominal_value", 0444, "60\n" },
	{ "0/operational_state", 0400, "enabled\n" },
	{ "0/present_reading", 0400, "58\n" },
	{ "0/present_state", 0400, "normal\n" },
	{ "0/previous_state", 0400, "normal\n" },
	{ "0/range_field_supported", 0444, "0\n" },
	{ "0/rate_unit", 0444, "None\n" },
	{ "0/unit_modifier", 0444, "0\n" },
	{ "0/warning_high", 0444, "95\n" },
	{ "0/warning_low", 0444, "0\n" },
	{}
};

static ssize_t filter_show(struct emu_nic *nic, char *to)
{
	return sysfs_emit(to, "%d\n", READ_ONCE(nic->ac_filter_disabled));
}

static ssize_t filter_store(struct emu_nic *nic, const char *from, size_t count)
{
	bool on;
	int rc = kstrtobool(from, &on);

	if (rc)
		return rc;
	WRITE_ONCE(nic->ac_filter_disabled, on);
	return count;
}

const struct cxi_entry cxi_settings[] = {
	{ "ac_filter_disabled", 0644, .show = filter_show, .store = filter_store },
	{}
};
