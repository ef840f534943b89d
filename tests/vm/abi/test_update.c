// SPDX-License-Identifier: GPL-2.0
/* SVC_UPDATE: it switches the service, and changes what SVC_GET says of it, not whom it admits. */
#define _GNU_SOURCE
#include <errno.h>

#include "check.h"
#include "request.h"
#include "service.h"
#include "who.h"

void test_update(struct device *device)
{
	struct service asked = service_with_vni(50);
	static struct answer a;
	struct request made;
	uint8_t svc[SVC_SIZE];
	uint32_t id, lni;

	alloc(device, &asked, &id);
	put32(asked.bytes, SVC_ID, id);
	is("D14: SVC_UPDATE without the flag that it is on", update(device, &asked), 0);
	check(is_enabled(device, id) == 0, "D14: it is off");
	add_member(&asked, 0, NOBODY, MEMBER_UID);
	asked.bytes[SVC_FLAGS] |= FLAG_ENABLE;
	made = svc_alloc(&a, asked.bytes);
	put32(made.bytes, AT_OP, 44);
	expect("D14: SVC_UPDATE with a member, on", device->fd, made.bytes, made.size, 0);
	check(written(&a) == 20 && !get32(a.bytes, 0) && !get32(a.bytes, 16),
	      "D14: the answer is 20 bytes of 0");
	get_service(device, id, svc);
	check(get32(svc, SVC_MEMBERS) == NOBODY && (svc[SVC_FLAGS] & FLAG_MEMBERS) &&
	      (svc[SVC_FLAGS] & FLAG_ENABLE), "D14: SVC_GET shows the member, and that it is on");
	is("D14: LNI_ALLOC by root, whom it still admits", use_as(false, HERE, device, id), 0);
	lni_alloc(device, id, &lni);
	is("D14: SVC_UPDATE in use", update(device, &asked), EBUSY);
	lni_free(device, lni);
	asked.bytes[SVC_FLAGS] |= FLAG_LIMITS;
	is("D14: SVC_UPDATE with limits", update(device, &asked), EINVAL);
	asked.bytes[SVC_FLAGS] &= ~FLAG_LIMITS;
	put16(asked.bytes, SVC_VNIS, 0);
	is("D14: SVC_UPDATE with VNI 0", update(device, &asked), EINVAL);
	put16(asked.bytes, SVC_VNIS, 50);
	put32(asked.bytes, SVC_ID, NO_SVC);
	is("D14: SVC_UPDATE of none", update(device, &asked), EINVAL);
	destroy(device, id);
}
