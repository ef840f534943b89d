// SPDX-License-Identifier: GPL-2.0
#include "service.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "request.h"

static int send_request(struct device *device, const struct request *request)
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

int is_enabled(struct device *device, uint32_t id)
{
	uint8_t bytes[SVC_SIZE];

	if (get_service(device, id, bytes))
		return -1;
	return !!(bytes[SVC_FLAGS] & FLAG_ENABLE);
}
