// SPDX-License-Identifier: GPL-2.0
#include "service.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int send_request(struct device *device, const struct request *request)
{
	return write(device->fd, request->bytes, request->size) < 0 ? errno : 0;
}

struct service service(uint8_t flags)
{
	struct service made = { { [SVC_FLAGS] = flags } };

	return made;
}

struct service service_with_vni(uint16_t vni)
{
	struct service made = service(FLAG_VNIS);

	made.bytes[SVC_VNI_COUNT] = 1;
	put16(made.bytes, SVC_VNIS, vni);
	return made;
}

void add_member(struct service *service, int place, uint32_t id, uint32_t type)
{
	service->bytes[SVC_FLAGS] |= FLAG_MEMBERS;
	put32(service->bytes, SVC_MEMBERS + 8 * place, id);
	put32(service->bytes, SVC_MEMBERS + 8 * place + 4, type);
}

int alloc(struct device *device, const struct service *service, uint32_t *id)
{
	static struct answer a;
	struct request made = svc_alloc(&a, service->bytes);
	int error = send_request(device, &made);

	*id = get32(a.bytes, ALLOC_ID);
	return error;
}

int destroy(struct device *device, uint32_t id)
{
	struct request made = brief(29, id, 0);

	return send_request(device, &made);
}

int enable(struct device *device, uint32_t id, int on)
{
	struct request made = svc_enable(id, on);

	return send_request(device, &made);
}

int get_service(struct device *device, uint32_t id, uint8_t *bytes)
{
	static struct answer a;
	struct request made = on_svc(45, &a, id);
	int error = send_request(device, &made);

	memcpy(bytes, a.bytes, SVC_SIZE);
	return error;
}

int lni_alloc(struct device *device, uint32_t svc, uint32_t *lni)
{
	static struct answer a;
	struct request made = on_svc(1, &a, svc);
	int error = send_request(device, &made);

	*lni = get32(a.bytes, 0);
	return error;
}

int lni_free(struct device *device, uint32_t lni)
{
	struct request made = brief(2, lni, 0);

	return send_request(device, &made);
}

int update(struct device *device, const struct service *asked)
{
	static struct answer a;
	struct request made = svc_alloc(&a, asked->bytes);

	put32(made.bytes, AT_OP, 44);
	return send_request(device, &made);
}

int set_netns(struct device *device, uint32_t id, uint32_t netns)
{
	struct request made = brief(84, id, netns);

	return send_request(device, &made);
}

/* A command on a service whose answer begins with numbers. */
static int get(struct device *device, unsigned int op, uint32_t id, uint32_t *first,
	       uint32_t *second)
{
	static struct answer a;
	struct request made = on_svc(op, &a, id);
	int error = send_request(device, &made);

	*first = get32(a.bytes, 0);
	if (second)
		*second = get32(a.bytes, 4);
	return error;
}

int get_netns(struct device *device, uint32_t id, uint32_t *netns)
{
	return get(device, 85, id, netns, NULL);
}

int set_range(struct device *device, uint32_t id, uint32_t min, uint32_t max)
{
	struct request made = set_vni_range(id, min, max);

	return send_request(device, &made);
}

int get_range(struct device *device, uint32_t id, uint32_t *min, uint32_t *max)
{
	return get(device, 82, id, min, max);
}

int set_lpr(struct device *device, uint32_t id, uint32_t lpr)
{
	struct request made = on_svc(53, NULL, id);

	put32(made.bytes, AT_FIELD_2, lpr);
	return send_request(device, &made);
}

int get_lpr(struct device *device, uint32_t id, uint32_t *lpr)
{
	return get(device, 54, id, lpr, NULL);
}

int domain_alloc(struct device *device, uint32_t lni, uint32_t vni, uint32_t pid,
		 struct answer *a)
{
	struct request made = on_svc(4, a, lni);

	put32(made.bytes, AT_FIELD_2, vni);
	put32(made.bytes, AT_FIELD_3, pid);
	return send_request(device, &made);
}

int domain_free(struct device *device, uint32_t domain)
{
	struct request made = brief(5, domain, 0);

	return send_request(device, &made);
}

int cp_alloc(struct device *device, uint32_t lni, uint32_t vni, uint32_t tc, uint32_t type,
	     struct answer *a)
{
	struct request made = on_svc(6, a, lni);

	put32(made.bytes, AT_FIELD_2, vni);
	put32(made.bytes, AT_FIELD_3, tc);
	put32(made.bytes, AT_FIELD_4, type);
	return send_request(device, &made);
}

int cp_free(struct device *device, uint32_t cp)
{
	struct request made = brief(7, cp, 0);

	return send_request(device, &made);
}

int is_enabled(struct device *device, uint32_t id)
{
	uint8_t bytes[SVC_SIZE];

	if (get_service(device, id, bytes))
		return -1;
	return !!(bytes[SVC_FLAGS] & FLAG_ENABLE);
}
