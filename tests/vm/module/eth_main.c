// SPDX-License-Identifier: GPL-2.0
/* cxi-eth: one Ethernet interface for each device. Frames go nowhere. */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/netdevice.h>

#include "cxi.h"

struct port {
	struct list_head node;
	struct net_device *ndev;
	struct cxi_dev *cdev;
	/* While it is up. */
	struct cxi_lni *lni;
	u32 svc_id;
};

/* As the driver has them with 16 queues each way. */
static const struct cxi_abi_svc own_service = {
	.flags = CXI_SVC_RESTRICTED_MEMBERS | CXI_SVC_RESTRICTED_VNIS | CXI_SVC_RESOURCE_LIMITS |
		 CXI_SVC_SYSTEM,
	.limits = {
		[CXI_PTE] = { 17, 8 }, [CXI_TXQ] = { 32, 1 }, [CXI_TGQ] = { 18, 1 },
		[CXI_EQ] = { 49, 1 }, [CXI_LE] = { 16384, 660 }, [CXI_AC] = { 1, 1 },
	},
};

/* Changed and read by the core's calls only, which are serialised. */
static LIST_HEAD(ports);

static netdev_tx_t transmit(struct sk_buff *skb, struct net_device *ndev)
{
	ndev->stats.tx_packets++;
	ndev->stats.tx_bytes += skb->len;
	consume_skb(skb);
	return NETDEV_TX_OK;
}

/* The fabric address follows the MAC, unless it was set by hand. */
static int set_mac(struct net_device *ndev, void *address)
{
	struct port *port = netdev_priv(ndev);
	int rc = eth_mac_addr(ndev, address);

	if (!rc && port->cdev->is_physfn)
		emu_nic_set_nid(port->cdev->nic,
				(ndev->dev_addr[3] & 0xf) << 16 | ndev->dev_addr[4] << 8 |
				ndev->dev_addr[5], false);
	return rc;
}

/* A PF has a service of its own, for whoever sets it up. A VF has the default one. */
static int get_service(struct port *port)
{
	struct cxi_abi_svc desc = own_service;
	struct cxi_abi_svc_alloc_resp resp = {};
	int rc;

	port->svc_id = CXI_DEFAULT_SVC;
	if (!port->cdev->is_physfn)
		return 0;
	desc.members[0].type = CXI_MEMBER_UID;
	desc.members[0].id = __kuid_val(current_euid());
	rc = cxi_svc_alloc(port->cdev, &desc, &resp);
	if (!rc)
		port->svc_id = resp.svc_id;
	return rc;
}

static void put_service(struct port *port)
{
	if (port->svc_id != CXI_DEFAULT_SVC)
		cxi_svc_destroy(port->cdev, port->svc_id);
}

static int open_port(struct net_device *ndev)
{
	struct port *port = netdev_priv(ndev);
	int rc = get_service(port);

	if (rc)
		return rc;
	port->lni = cxi_lni_alloc(port->cdev, port->svc_id);
	rc = PTR_ERR_OR_ZERO(port->lni);
	if (rc)
		put_service(port);
	return rc;
}

static int stop_port(struct net_device *ndev)
{
	struct port *port = netdev_priv(ndev);

	cxi_lni_free(port->lni);
	put_service(port);
	return 0;
}

static const struct net_device_ops operations = {
	.ndo_open = open_port,
	.ndo_stop = stop_port,
	.ndo_start_xmit = transmit,
	.ndo_set_mac_address = set_mac,
	.ndo_validate_addr = eth_validate_addr,
};

static int get_settings(struct net_device *ndev, struct ethtool_link_ksettings *settings)
{
	struct port *port = netdev_priv(ndev);

	settings->base.speed = cxi_mbps(port->cdev);
	settings->base.duplex = DUPLEX_FULL;
	settings->base.autoneg = AUTONEG_DISABLE;
	settings->base.port = PORT_OTHER;
	return 0;
}

static void get_info(struct net_device *ndev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "cxi_eth", sizeof(info->driver));
}

static const struct ethtool_ops ethtool_operations = {
	.get_drvinfo = get_info,
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = get_settings,
};

/* Locally administered, with the fabric address in the low 20 bits. */
static void set_address(struct net_device *ndev, struct cxi_dev *cdev)
{
	u32 number = (cdev->nic->number + 0x12) & 0xfffff;
	u8 mac[ETH_ALEN] = { 0x02, 0, 0, number >> 16, number >> 8, number };

	eth_hw_addr_set(ndev, mac);
	ndev->addr_assign_type = NET_ADDR_SET;
}

static void set_carrier(struct net_device *ndev, bool up)
{
	if (up)
		netif_carrier_on(ndev);
	else
		netif_carrier_off(ndev);
}

/* The name that the site would give it, so that udev leaves it alone. */
static int register_named(struct net_device *ndev, const char *name)
{
	int rc;

	strscpy(ndev->name, name, IFNAMSIZ);
	ndev->name_assign_type = NET_NAME_USER;
	rc = register_netdev(ndev);
	if (rc != -EEXIST)
		return rc;
	strscpy(ndev->name, "eth%d", IFNAMSIZ);
	ndev->name_assign_type = NET_NAME_ENUM;
	return register_netdev(ndev);
}

static int add_device(struct cxi_dev *cdev)
{
	struct net_device *ndev;
	struct port *port;
	int rc;

	if (emu_has(cdev->nic, EMU_V_NO_NETDEV))
		return 0;
	ndev = alloc_etherdev(sizeof(*port));
	if (!ndev)
		return -ENOMEM;
	SET_NETDEV_DEV(ndev, &cdev->pdev->dev);
	port = netdev_priv(ndev);
	port->ndev = ndev;
	port->cdev = cdev;
	ndev->netdev_ops = &operations;
	ndev->ethtool_ops = &ethtool_operations;
	ndev->max_mtu = 9000;
	ndev->mtu = 9000;
	set_address(ndev, cdev);
	rc = register_named(ndev, cdev->nic->spec.netdev);
	if (rc) {
		free_netdev(ndev);
		return rc;
	}
	list_add_tail(&port->node, &ports);
	/* A new interface has a carrier until its driver says otherwise. */
	netif_carrier_off(ndev);
	set_carrier(ndev, emu_nic_link(cdev->nic));
	return 0;
}

static struct port *port_of(struct cxi_dev *cdev)
{
	struct port *port;

	list_for_each_entry(port, &ports, node)
		if (port->cdev == cdev)
			return port;
	return NULL;
}

static void remove_device(struct cxi_dev *cdev)
{
	struct port *port = port_of(cdev);
	struct net_device *ndev;

	if (!port)
		return;
	ndev = port->ndev;
	list_del(&port->node);
	unregister_netdev(ndev);
	free_netdev(ndev);
}

static void link_event(struct cxi_dev *cdev, enum cxi_event event)
{
	struct port *port = port_of(cdev);

	if (port)
		set_carrier(port->ndev, event == CXI_LINK_UP);
}

static struct cxi_client client = {
	.add = add_device,
	.remove = remove_device,
	.event = link_event,
};

static int __init eth_init(void)
{
	return cxi_register_client(&client);
}

static void __exit eth_exit(void)
{
	cxi_unregister_client(&client);
}

module_init(eth_init);
module_exit(eth_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Emulated Ethernet interfaces of HPE Slingshot NICs");
