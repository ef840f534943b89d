// SPDX-License-Identifier: GPL-2.0
/* The commands of /dev/cxiN, by number, with their exact sizes. */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "user.h"

#define LONGEST 88

/* Requests of 16 bytes and more have the answer's place at 8, fields from 16. */
struct request {
	union {
		u32 op;
		/* Requests of 8 and 12 bytes have no answer. */
		struct {
			u32 op;
			u32 first;
			u32 second;
		} brief;
		struct {
			u64 op_and_pad;
			u64 resp;
			union {
				struct {
					u32 value;
					u32 second;
					u64 list;
				};
				struct {
					u32 id;
					u32 min;
					u32 max;
				};
				/* The third is a PID or a traffic class. */
				struct {
					u32 lni;
					u32 vni;
					u32 third;
					u32 fourth;
				} on_lni;
				struct cxi_abi_svc svc;
			};
		};
	};
};

typedef int (*handler)(struct user_client *client, const struct request *request);

static int answer(const struct request *request, const void *from, size_t size)
{
	return copy_to_user(u64_to_user_ptr(request->resp), from, size) ? -EFAULT : 0;
}

static struct cxi_dev *device(struct user_client *client)
{
	return client->user->dev;
}

/* What cannot be said to anybody is undone. */
static int lni_alloc(struct user_client *client, const struct request *request)
{
	u32 id;
	int rc = user_lni_alloc(client, request->id, &id);

	if (rc)
		return rc;
	rc = answer(request, &id, sizeof(id));
	if (rc)
		user_lni_free(client, id);
	return rc;
}

static int lni_free(struct user_client *client, const struct request *request)
{
	return user_lni_free(client, request->brief.first);
}

static int domain_alloc(struct user_client *client, const struct request *request)
{
	struct cxi_abi_domain abi = {};
	int rc = user_domain_alloc(client, request->on_lni.lni, request->on_lni.vni,
				   request->on_lni.third, &abi);

	if (rc)
		return rc;
	rc = answer(request, &abi, sizeof(abi));
	if (rc)
		user_domain_free(client, abi.id);
	return rc;
}

static int domain_free(struct user_client *client, const struct request *request)
{
	return user_domain_free(client, request->brief.first);
}

static int cp_alloc(struct user_client *client, const struct request *request)
{
	struct cxi_abi_cp abi = {};
	int rc = user_cp_alloc(client, request->on_lni.lni, request->on_lni.vni,
			       request->on_lni.third, request->on_lni.fourth, &abi);

	if (rc)
		return rc;
	rc = answer(request, &abi, sizeof(abi));
	if (rc)
		user_cp_free(client, abi.id);
	return rc;
}

static int cp_free(struct user_client *client, const struct request *request)
{
	return user_cp_free(client, request->brief.first);
}

/* The count always and first, the list only if there is room for all of it. */
static int svc_list_get(struct user_client *client, const struct request *request)
{
	u32 count = cxi_svc_list(device(client), 0, NULL);
	struct cxi_abi_svc *list;
	u32 room;
	int rc;

	if (request->value < count)
		return answer(request, &count, sizeof(count));
	list = kcalloc(count, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	room = count;
	count = cxi_svc_list(device(client), room, list);
	rc = answer(request, &count, sizeof(count));
	if (!rc && count <= room &&
	    copy_to_user(u64_to_user_ptr(request->list), list, count * sizeof(*list)))
		rc = -EFAULT;
	kfree(list);
	return rc;
}

static int svc_use_list_get(struct user_client *client, const struct request *request)
{
	u32 count = cxi_svc_use_list(device(client), 0, NULL);
	struct cxi_abi_use *list;
	u32 room;
	int rc;

	if (request->value < count)
		return answer(request, &count, sizeof(count));
	list = kcalloc(count, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	room = count;
	count = cxi_svc_use_list(device(client), room, list);
	rc = answer(request, &count, sizeof(count));
	if (!rc && count <= room &&
	    copy_to_user(u64_to_user_ptr(request->list), list, count * sizeof(*list)))
		rc = -EFAULT;
	kfree(list);
	return rc;
}

static int svc_alloc(struct user_client *client, const struct request *request)
{
	struct cxi_abi_svc_alloc_resp resp = {};
	int rc = cxi_svc_alloc(device(client), &request->svc, &resp);

	/* The answer says what was missing, so it is given on failure too. */
	return answer(request, &resp, sizeof(resp)) ?: rc;
}

static int svc_update(struct user_client *client, const struct request *request)
{
	struct cxi_abi_svc_update_resp resp = {};
	int rc = cxi_svc_update(device(client), &request->svc);

	return answer(request, &resp, sizeof(resp)) ?: rc;
}

static int svc_destroy(struct user_client *client, const struct request *request)
{
	return cxi_svc_destroy(device(client), request->brief.first);
}

static int svc_enable(struct user_client *client, const struct request *request)
{
	return cxi_svc_enable(device(client), request->id, request->second & 0xff);
}

static int get_dev_properties(struct user_client *client, const struct request *request)
{
	struct cxi_abi_properties properties;

	cxi_dev_properties(device(client), &properties);
	return answer(request, &properties, sizeof(properties));
}

static int dev_info_get(struct user_client *client, const struct request *request)
{
	struct cxi_abi_dev_info info;

	cxi_dev_info(device(client), &info);
	return answer(request, &info, sizeof(info));
}

static int svc_get(struct user_client *client, const struct request *request)
{
	struct cxi_abi_svc desc;

	return cxi_svc_get(device(client), request->id, &desc) ?:
	       answer(request, &desc, sizeof(desc));
}

static int svc_use_get(struct user_client *client, const struct request *request)
{
	struct cxi_abi_use use;

	return cxi_svc_use(device(client), request->id, &use) ?:
	       answer(request, &use, sizeof(use));
}

static int svc_set_lpr(struct user_client *client, const struct request *request)
{
	return cxi_svc_set_lpr(device(client), request->id, request->second);
}

static int svc_get_lpr(struct user_client *client, const struct request *request)
{
	int lpr = cxi_svc_get_lpr(device(client), request->id);

	return lpr < 0 ? lpr : answer(request, &lpr, sizeof(lpr));
}

static int svc_set_exclusive_cp(struct user_client *client, const struct request *request)
{
	return cxi_svc_set_exclusive_cp(device(client), request->brief.first,
					request->brief.second & 0xff);
}

static int svc_get_exclusive_cp(struct user_client *client, const struct request *request)
{
	int on = cxi_svc_get_exclusive_cp(device(client), request->id);
	u8 byte = on > 0;

	return on < 0 ? on : answer(request, &byte, sizeof(byte));
}

static int svc_set_vni_range(struct user_client *client, const struct request *request)
{
	return cxi_svc_set_vni_range(device(client), request->id, request->min, request->max);
}

static int svc_get_vni_range(struct user_client *client, const struct request *request)
{
	u32 range[2];

	return cxi_svc_get_vni_range(device(client), request->id, &range[0], &range[1]) ?:
	       answer(request, range, sizeof(range));
}

static int svc_set_netns(struct user_client *client, const struct request *request)
{
	return cxi_svc_set_netns(device(client), request->brief.first, request->brief.second);
}

static int svc_get_netns(struct user_client *client, const struct request *request)
{
	u32 netns;

	return cxi_svc_get_netns(device(client), request->id, &netns) ?:
	       answer(request, &netns, sizeof(netns));
}

/* What has no handler is a command of the real driver that is not emulated. */
static const struct {
	size_t size;
	handler handler;
	bool admin;
} commands[CXI_OP_COUNT] = {
	[CXI_OP_LNI_ALLOC] = { 24, lni_alloc },
	[CXI_OP_LNI_FREE] = { 8, lni_free },
	[CXI_OP_DOMAIN_ALLOC] = { 32, domain_alloc },
	[CXI_OP_DOMAIN_FREE] = { 8, domain_free },
	[CXI_OP_CP_ALLOC] = { 32, cp_alloc },
	[CXI_OP_CP_FREE] = { 8, cp_free },
	[CXI_OP_SVC_LIST_GET] = { 32, svc_list_get },
	[CXI_OP_SVC_ALLOC] = { 88, svc_alloc, true },
	[CXI_OP_SVC_DESTROY] = { 8, svc_destroy, true },
	[CXI_OP_GET_DEV_PROPERTIES] = { 16, get_dev_properties },
	[CXI_OP_SVC_UPDATE] = { 88, svc_update, true },
	[CXI_OP_SVC_GET] = { 24, svc_get },
	[CXI_OP_SVC_RSRC_LIST_GET] = { 32, svc_use_list_get },
	[CXI_OP_SVC_RSRC_GET] = { 24, svc_use_get },
	[CXI_OP_DEV_INFO_GET] = { 16, dev_info_get },
	[CXI_OP_SVC_SET_LPR] = { 24, svc_set_lpr, true },
	[CXI_OP_SVC_GET_LPR] = { 24, svc_get_lpr },
	[CXI_OP_SVC_SET_EXCLUSIVE_CP] = { 12, svc_set_exclusive_cp, true },
	[CXI_OP_SVC_GET_EXCLUSIVE_CP] = { 24, svc_get_exclusive_cp },
	[CXI_OP_SVC_ENABLE] = { 24, svc_enable, true },
	[CXI_OP_SVC_SET_VNI_RANGE] = { 32, svc_set_vni_range, true },
	[CXI_OP_SVC_GET_VNI_RANGE] = { 32, svc_get_vni_range },
	[CXI_OP_SVC_SET_NETNS] = { 12, svc_set_netns, true },
	[CXI_OP_SVC_GET_NETNS] = { 24, svc_get_netns },
};

/* The checks before the command, in the driver's order. */
static int receive(struct user_client *client, const void __user *from, size_t count,
		   struct request *request)
{
	u32 header[4];
	u32 op;

	/* Whatever the size: a short command at the end of a page is a bad address. */
	if (copy_from_user(header, from, sizeof(header)))
		return -EFAULT;
	op = header[0];
	if (!op || op >= CXI_OP_COUNT)
		return -EINVAL;
	if (!commands[op].handler)
		return -EOPNOTSUPP;
	if (count != commands[op].size)
		return -EINVAL;
	if (copy_from_user(request, from, count))
		return -EFAULT;
	/* Nobody may have changed it between the two reads. */
	request->op = op;
	if (commands[op].admin && (!capable(CAP_SYS_ADMIN) || !client->user->is_physfn))
		return -EPERM;
	return 0;
}

/* Caller holds the device's lock for reading. */
int user_command(struct user_client *client, const void __user *from, size_t count)
{
	struct request request = {};
	int rc;

	BUILD_BUG_ON(sizeof(struct request) != LONGEST);
	rc = receive(client, from, count, &request);
	if (rc)
		return rc;
	if (!client->user->dev)
		return -EIO;
	return emu_nic_fail(client->user->dev->nic, EMU_COMMAND) ?:
	       commands[request.op].handler(client, &request);
}
