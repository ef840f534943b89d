// SPDX-License-Identifier: GPL-2.0
/* One emulated NIC: its state, and who hears when it changes. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "emu_private.h"

DEFINE_MUTEX(emu_mutex);

static LIST_HEAD(nics);
static DEFINE_SPINLOCK(list_lock);

/* Caller holds list_lock. */
static unsigned int free_number(void)
{
	struct emu_nic *nic;
	unsigned int number = 0;

again:
	list_for_each_entry(nic, &nics, node)
		if (nic->number == number) {
			number++;
			goto again;
		}
	return number;
}

struct emu_nic *emu_nic_new(const struct emu_spec *spec)
{
	struct emu_nic *nic = kzalloc(sizeof(*nic), GFP_KERNEL);

	if (!nic)
		return NULL;
	kref_init(&nic->ref);
	mutex_init(&nic->events_lock);
	spin_lock_init(&nic->lock);
	nic->spec = *spec;
	nic->link = true;
	nic->up_count = 1;
	nic->rdzv_get_en = 1;
	nic->amo_remap = -1;
	nic->pct_eq = emu_has(nic, EMU_V_NO_HANDLER) ? 0 : 1;
	spin_lock(&list_lock);
	nic->number = free_number();
	list_add_tail(&nic->node, &nics);
	spin_unlock(&list_lock);
	nic->nid = spec->nid >= 0 ? spec->nid : (nic->number + 0x12) & 0xfffff;
	if (emu_has(nic, EMU_V_NID_UNSET))
		nic->nid = EMU_NID_UNSET;
	return nic;
}

static void release(struct kref *ref)
{
	kfree(container_of(ref, struct emu_nic, ref));
}

/* Called by the owner when the hardware goes; users may still hold it. */
void emu_nic_forget(struct emu_nic *nic)
{
	spin_lock(&list_lock);
	list_del_init(&nic->node);
	spin_unlock(&list_lock);
	emu_nic_put(nic);
}

void emu_nic_put(struct emu_nic *nic)
{
	kref_put(&nic->ref, release);
}
EXPORT_SYMBOL_GPL(emu_nic_put);

/* The first NIC that matches, with a reference. */
struct emu_nic *emu_nic_match(bool (*match)(struct emu_nic *nic, const void *arg),
			      const void *arg)
{
	struct emu_nic *nic, *found = NULL;

	spin_lock(&list_lock);
	list_for_each_entry(nic, &nics, node)
		if (match(nic, arg)) {
			kref_get(&nic->ref);
			found = nic;
			break;
		}
	spin_unlock(&list_lock);
	return found;
}

void emu_nics_for_each(void (*show)(struct emu_nic *nic, void *arg), void *arg)
{
	struct emu_nic *nic;

	spin_lock(&list_lock);
	list_for_each_entry(nic, &nics, node)
		show(nic, arg);
	spin_unlock(&list_lock);
}

static bool is_at(struct emu_nic *nic, const void *arg)
{
	const struct emu_spec *spec = arg;

	return nic->spec.domain == spec->domain && nic->spec.bus == spec->bus &&
	       nic->spec.devfn == spec->devfn;
}

struct emu_nic *emu_nic_at(u16 domain, u8 bus, u8 devfn)
{
	struct emu_spec spec = { .domain = domain, .bus = bus, .devfn = devfn };

	return emu_nic_match(is_at, &spec);
}

/* The hardware behind a PCI device; none if it is not emulated. */
struct emu_nic *emu_nic_find(struct pci_dev *pdev)
{
	return emu_nic_at(pci_domain_nr(pdev->bus), pdev->bus->number, pdev->devfn);
}
EXPORT_SYMBOL_GPL(emu_nic_find);

void emu_nic_attach(struct emu_nic *nic, const struct emu_events *events,
		    void *driver)
{
	bool is_back;

	mutex_lock(&nic->events_lock);
	spin_lock(&nic->lock);
	is_back = events && nic->link_lost;
	if (is_back) {
		nic->link = true;
		nic->link_lost = false;
	}
	spin_unlock(&nic->lock);
	nic->events = events;
	nic->driver = driver;
	/* A netdev that is there already gets its carrier. */
	if (is_back)
		events->link(driver, true);
	mutex_unlock(&nic->events_lock);
}
EXPORT_SYMBOL_GPL(emu_nic_attach);

void emu_nic_detach(struct emu_nic *nic)
{
	emu_nic_attach(nic, NULL, NULL);
}
EXPORT_SYMBOL_GPL(emu_nic_detach);

/* Waits as long as the NIC is slow, and returns the injected error, or 0. */
int emu_nic_fail(struct emu_nic *nic, enum emu_point point)
{
	struct emu_failure *failure = &nic->failures[point];
	unsigned int slow = READ_ONCE(nic->slow_ms);
	int error = 0;

	if (slow)
		msleep_interruptible(slow);
	spin_lock(&nic->lock);
	if (failure->error && failure->count) {
		error = -failure->error;
		if (failure->count > 0)
			failure->count--;
	}
	spin_unlock(&nic->lock);
	return error;
}
EXPORT_SYMBOL_GPL(emu_nic_fail);

/* The number of the spec, once: later bindings take the next. */
long emu_nic_wanted_number(struct emu_nic *nic)
{
	long wanted = nic->numbered ? -1 : nic->spec.cxi;

	nic->numbered = true;
	return wanted;
}
EXPORT_SYMBOL_GPL(emu_nic_wanted_number);

bool emu_nic_link(struct emu_nic *nic)
{
	return READ_ONCE(nic->link);
}
EXPORT_SYMBOL_GPL(emu_nic_link);

u32 emu_nic_nid(struct emu_nic *nic)
{
	return READ_ONCE(nic->nid);
}
EXPORT_SYMBOL_GPL(emu_nic_nid);

/* A nid that was set by hand is not overwritten by one from the MAC. */
void emu_nic_set_nid(struct emu_nic *nic, u32 nid, bool by_hand)
{
	spin_lock(&nic->lock);
	if (by_hand || !nic->nid_set)
		nic->nid = nid;
	nic->nid_set |= by_hand;
	spin_unlock(&nic->lock);
}
EXPORT_SYMBOL_GPL(emu_nic_set_nid);
