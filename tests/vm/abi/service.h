/* SPDX-License-Identifier: GPL-2.0 */
/* Services as the checks need them: made, changed and ended in one line. */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdint.h>

#include "device.h"
#include "fields.h"

/* A service to ask for. */
struct service {
	uint8_t bytes[SVC_SIZE];
};

/* One that asks for nothing, with these flags. */
struct service service(uint8_t flags);
struct service service_with_vni(uint16_t vni);
void add_member(struct service *service, int place, uint32_t id, uint32_t type);

/* Each returns 0 or the errno. */
int alloc(struct device *device, const struct service *service, uint32_t *id);
int destroy(struct device *device, uint32_t id);
int enable(struct device *device, uint32_t id, int on);
int get_service(struct device *device, uint32_t id, uint8_t *bytes);
int lni_alloc(struct device *device, uint32_t svc, uint32_t *lni);
int lni_free(struct device *device, uint32_t lni);
int is_enabled(struct device *device, uint32_t id);

#endif
