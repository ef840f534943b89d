// SPDX-License-Identifier: GPL-2.0
/* debugfs cxi-emu/control takes commands, cxi-emu/nics shows the hardware. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "emu_private.h"

#define LONGEST 256

static struct dentry *directory;

static const char help[] =
	"add KIND[,pci=ADDRESS][,cxi=N][,netdev=NAME][,numa=N][,nid=N][,variant=V6+V7]\n"
	"remove ADDRESS\n"
	"remove-all\n"
	"link ADDRESS up|down\n"
	"restart ADDRESS [UNIX_SECONDS]\n"
	"pct_eq ADDRESS N\n"
	"nid ADDRESS N\n"
	"corr|uncorr|codewords ADDRESS N\n"
	"error ADDRESS FLAG BIT\n"
	"fatal ADDRESS [FLAG BIT]\n"
	"surprise ADDRESS on|off\n"
	"slow ADDRESS MILLISECONDS\n"
	"fail ADDRESS probe|open|command|attribute ERRNO [COUNT]\n";

static const char * const points[] = {
	[EMU_PROBE] = "probe", [EMU_OPEN] = "open",
	[EMU_COMMAND] = "command", [EMU_ATTRIBUTE] = "attribute",
};

static int set_link(struct emu_nic *nic, bool up)
{
	bool changed;

	mutex_lock(&nic->events_lock);
	spin_lock(&nic->lock);
	changed = nic->link != up;
	nic->link = up;
	nic->link_lost = false;
	if (changed && up)
		nic->up_count++;
	spin_unlock(&nic->lock);
	if (changed && nic->events)
		nic->events->link(nic->driver, up);
	mutex_unlock(&nic->events_lock);
	return 0;
}

static int do_link(struct emu_nic *nic, char *rest)
{
	bool up = !strcmp(rest, "up");

	if (!up && strcmp(rest, "down"))
		return -EINVAL;
	return set_link(nic, up);
}

/* The driver notes the time, and the link goes down and up again. */
static int do_restart(struct emu_nic *nic, char *rest)
{
	s64 when = ktime_get_real_seconds();

	if (*rest && kstrtos64(rest, 10, &when))
		return -EINVAL;
	spin_lock(&nic->lock);
	nic->restarts[nic->next_restart++ % EMU_RESTARTS] = when;
	spin_unlock(&nic->lock);
	set_link(nic, false);
	return set_link(nic, true);
}

static int do_pct_eq(struct emu_nic *nic, char *rest)
{
	u32 number;

	if (kstrtou32(rest, 0, &number))
		return -EINVAL;
	WRITE_ONCE(nic->pct_eq, number);
	return 0;
}

static int do_nid(struct emu_nic *nic, char *rest)
{
	u32 nid;

	if (kstrtou32(rest, 0, &nid))
		return -EINVAL;
	emu_nic_set_nid(nic, nid, true);
	return 0;
}

static int set_counter(u64 *counter, char *rest)
{
	u64 value;

	if (kstrtou64(rest, 0, &value))
		return -EINVAL;
	WRITE_ONCE(*counter, value);
	return 0;
}

static int do_corr(struct emu_nic *nic, char *rest)
{
	return set_counter(&nic->corr, rest);
}

static int do_uncorr(struct emu_nic *nic, char *rest)
{
	return set_counter(&nic->uncorr, rest);
}

static int do_codewords(struct emu_nic *nic, char *rest)
{
	return set_counter(&nic->telemetry_uncorr, rest);
}

static int flag_and_bit(char *rest, u32 *flag, u8 *bit)
{
	char *first = strsep(&rest, " ");

	return !rest || kstrtou32(first, 0, flag) || kstrtou8(rest, 0, bit) ? -EINVAL : 0;
}

static int do_error(struct emu_nic *nic, char *rest)
{
	u32 flag;
	u8 bit;

	if (flag_and_bit(rest, &flag, &bit))
		return -EINVAL;
	mutex_lock(&nic->events_lock);
	if (nic->events)
		nic->events->error(nic->driver, flag, bit);
	mutex_unlock(&nic->events_lock);
	return 0;
}

/* If the driver gives the device up, its link does not last. */
static int do_fatal(struct emu_nic *nic, char *rest)
{
	bool disabled = false;
	u32 flag = 0;
	u8 bit = 0;

	if (*rest && flag_and_bit(rest, &flag, &bit))
		return -EINVAL;
	mutex_lock(&nic->events_lock);
	if (nic->events)
		disabled = nic->events->fatal(nic->driver, flag, bit);
	mutex_unlock(&nic->events_lock);
	if (!disabled || !emu_nic_link(nic))
		return 0;
	set_link(nic, false);
	spin_lock(&nic->lock);
	nic->link_lost = true;
	spin_unlock(&nic->lock);
	return 0;
}

/* As if pulled out without a word: config reads all ones. */
static int do_surprise(struct emu_nic *nic, char *rest)
{
	bool on;

	if (kstrtobool(rest, &on))
		return -EINVAL;
	WRITE_ONCE(nic->dead, on);
	return 0;
}

static int do_slow(struct emu_nic *nic, char *rest)
{
	return kstrtouint(rest, 10, &nic->slow_ms);
}

static int do_fail(struct emu_nic *nic, char *rest)
{
	int point = match_string(points, ARRAY_SIZE(points), strsep(&rest, " "));
	struct emu_failure failure = { .count = -1 };
	char *error = strsep(&rest, " ");

	if (point < 0 || !error || kstrtoint(error, 10, &failure.error) ||
	    failure.error < 0 || failure.error > 4095 ||
	    (rest && kstrtoint(rest, 10, &failure.count)))
		return -EINVAL;
	spin_lock(&nic->lock);
	nic->failures[point] = failure;
	spin_unlock(&nic->lock);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct emu_nic *nic, char *rest);
} commands[] = {
	{ "link", do_link }, { "restart", do_restart },
	{ "pct_eq", do_pct_eq }, { "nid", do_nid },
	{ "corr", do_corr }, { "uncorr", do_uncorr }, { "codewords", do_codewords },
	{ "error", do_error }, { "fatal", do_fatal },
	{ "surprise", do_surprise }, { "slow", do_slow }, { "fail", do_fail },
};

static struct emu_nic *nic_of(const char *address)
{
	unsigned int domain, bus, device, function;
	char end;

	if (sscanf(address, "%4x:%2x:%2x.%1x%c", &domain, &bus, &device,
		   &function, &end) != 4)
		return NULL;
	return emu_nic_at(domain, bus, PCI_DEVFN(device, function));
}

static int run_on_nic(const char *name, char *rest)
{
	struct emu_nic *nic;
	char *address = strsep(&rest, " ");
	int rc = -EINVAL;
	int i;

	if (!address)
		return -EINVAL;
	nic = nic_of(address);
	if (!nic)
		return -ENODEV;
	if (!strcmp(name, "remove"))
		rc = emu_remove(nic);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(name, commands[i].name))
			rc = commands[i].run(nic, rest ?: "");
	emu_nic_put(nic);
	return rc;
}

static int run_line(char *line)
{
	char *name = strsep(&line, " ");
	struct emu_spec spec;

	if (!strcmp(name, "remove-all")) {
		emu_remove_all();
		return 0;
	}
	if (strcmp(name, "add"))
		return run_on_nic(name, line);
	return emu_spec_parse(line ?: "", &spec) ?: emu_add(&spec);
}

static int run_locked(char *line)
{
	int rc;

	mutex_lock(&emu_mutex);
	rc = run_line(line);
	mutex_unlock(&emu_mutex);
	return rc;
}

/* One command per write. */
static ssize_t control_write(struct file *file, const char __user *from, size_t count,
			     loff_t *position)
{
	char *text;
	int rc;

	if (count > LONGEST)
		return -E2BIG;
	text = memdup_user_nul(from, count);
	if (IS_ERR(text))
		return PTR_ERR(text);
	rc = run_locked(strim(text));
	kfree(text);
	return rc ?: count;
}

static ssize_t control_read(struct file *file, char __user *to, size_t count,
			    loff_t *position)
{
	return simple_read_from_buffer(to, count, position, help, sizeof(help) - 1);
}

static const struct file_operations control_operations = {
	.owner = THIS_MODULE,
	.read = control_read,
	.write = control_write,
	.llseek = default_llseek,
};

static void show_nic(struct emu_nic *nic, void *seq)
{
	seq_printf(seq, "%04x:%02x:%02x.%x %s number=%u nid=%#x link=%s pct_eq=%u numa=%d netdev=%s%s\n",
		   nic->spec.domain, nic->spec.bus, PCI_SLOT(nic->spec.devfn),
		   PCI_FUNC(nic->spec.devfn), emu_kind_name(nic->spec.kind),
		   nic->number, nic->nid, nic->link ? "up" : "down", nic->pct_eq,
		   nic->spec.numa, nic->spec.netdev, nic->events ? " bound" : "");
}

static int nics_show(struct seq_file *seq, void *unused)
{
	emu_nics_for_each(show_nic, seq);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(nics);

int emu_control_init(void)
{
	directory = debugfs_create_dir("cxi-emu", NULL);
	debugfs_create_file("control", 0600, directory, NULL, &control_operations);
	debugfs_create_file("nics", 0400, directory, NULL, &nics_fops);
	return 0;
}

void emu_control_exit(void)
{
	debugfs_remove_recursive(directory);
}
