/* SPDX-License-Identifier: GPL-2.0 */
/* Services as the checks need them: made, changed and ended in one line. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdint.h>

#include "device.h"
#include "fields.h"
#include "request.h"

/* A service to ask for. */
struct service {
	uint8_t bytes[SVC_SIZE];
};

/* One that asks for nothing, with these flags. */
struct service service(uint8_t flags);
struct service service_with_vni(uint16_t vni);
void add_member(struct service *service, int place, uint32_t id, uint32_t type);

/* Each returns 0 or the errno. */
int send_request(struct device *device, const struct request *request);
int alloc(struct device *device, const struct service *service, uint32_t *id);
int destroy(struct device *device, uint32_t id);
int enable(struct device *device, uint32_t id, int on);
int get_service(struct device *device, uint32_t id, uint8_t *bytes);
int lni_alloc(struct device *device, uint32_t svc, uint32_t *lni);
int lni_free(struct device *device, uint32_t lni);
int update(struct device *device, const struct service *service);
int set_netns(struct device *device, uint32_t id, uint32_t netns);
int get_netns(struct device *device, uint32_t id, uint32_t *netns);
int set_range(struct device *device, uint32_t id, uint32_t min, uint32_t max);
int get_range(struct device *device, uint32_t id, uint32_t *min, uint32_t *max);
int set_lpr(struct device *device, uint32_t id, uint32_t lpr);
int get_lpr(struct device *device, uint32_t id, uint32_t *lpr);
int domain_alloc(struct device *device, uint32_t lni, uint32_t vni, uint32_t pid,
		 struct answer *answer);
int domain_free(struct device *device, uint32_t domain);
int cp_alloc(struct device *device, uint32_t lni, uint32_t vni, uint32_t tc, uint32_t type,
	     struct answer *answer);
int cp_free(struct device *device, uint32_t cp);
int is_enabled(struct device *device, uint32_t id);

#endif
