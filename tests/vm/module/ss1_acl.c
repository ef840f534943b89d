// SPDX-License-Identifier: GPL-2.0
/* Who asks, and whom services and profiles admit. */
#include <linux/cred.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "ss1.h"

struct entry {
	struct list_head node;
	enum cxi_member type;
	u32 id;
};

struct cxi_who cxi_who_asks(bool is_vf)
{
	if (is_vf)
		return (struct cxi_who){ .netns = init_net.ns.inum };
	return (struct cxi_who){
		.uid = __kuid_val(current_euid()),
		.gid = __kgid_val(current_egid()),
		.netns = current->nsproxy->net_ns->ns.inum,
	};
}

void cxi_acl_init(struct cxi_acl *acl)
{
	INIT_LIST_HEAD(&acl->entries);
}

static bool has(const struct cxi_acl *acl, enum cxi_member type, u32 id)
{
	struct entry *entry;

	list_for_each_entry(entry, &acl->entries, node)
		if (entry->type == type && entry->id == id)
			return true;
	return false;
}

int cxi_acl_add(struct cxi_acl *acl, enum cxi_member type, u32 id)
{
	struct entry *entry;

	if (type != CXI_ANYBODY && id == U32_MAX)
		return -EBADR;
	if (has(acl, type, id))
		return -EEXIST;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	entry->type = type;
	entry->id = id;
	list_add_tail(&entry->node, &acl->entries);
	return 0;
}

void cxi_acl_clear(struct cxi_acl *acl)
{
	struct entry *entry, *next;

	list_for_each_entry_safe(entry, next, &acl->entries, node) {
		list_del(&entry->node);
		kfree(entry);
	}
}

/* The lowest number of its kind. */
bool cxi_acl_lowest(const struct cxi_acl *acl, enum cxi_member type, u32 *id)
{
	struct entry *entry;
	bool found = false;

	list_for_each_entry(entry, &acl->entries, node) {
		if (entry->type != type || (found && entry->id > *id))
			continue;
		*id = entry->id;
		found = true;
	}
	return found;
}

bool cxi_acl_has(const struct cxi_acl *acl, enum cxi_member type)
{
	u32 id;

	return cxi_acl_lowest(acl, type, &id);
}

bool cxi_acl_admits(const struct cxi_acl *acl, const struct cxi_who *who)
{
	return has(acl, CXI_MEMBER_UID, who->uid) || has(acl, CXI_MEMBER_GID, who->gid) ||
	       has(acl, CXI_MEMBER_NETNS, who->netns) || has(acl, CXI_ANYBODY, 0);
}
