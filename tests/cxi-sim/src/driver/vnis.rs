//! The VNIs of services: single ones or a range, with a profile to send and one to receive for each; and whom they admit.

use super::Answered;
use super::errno::{EBUSY, EEXIST, EINVAL, ENODATA, ENOENT, EOPNOTSUPP};
use super::nic::Nic;
use super::profiles::Vnis;
use super::service::{self, Admitted, ENABLED, Service};

impl Nic {
    /// For each single VNI of the descriptor, or one for a range. The ones that were there before are lost, but not given back.
    pub(super) fn add_profiles(&mut self, service: &mut Service, range: Option<Vnis>) -> Answered<()> {
        if range.is_some() {
            service.desc[1] = 1;
        }
        let made = self.make_profiles(service, range);
        if made.is_err() {
            self.drop_profiles(service);
        }
        made
    }

    fn make_profiles(&mut self, service: &mut Service, range: Option<Vnis>) -> Answered<()> {
        let shares = self.parameters.shares_single_vnis;
        for place in 0..service.vnis() {
            let vnis = range.unwrap_or_else(|| Vnis::one(service.vni(place)));
            for (list, to) in [(&mut self.tx, &mut service.tx), (&mut self.rx, &mut service.rx)] {
                let Some(to) = to.get_mut(place) else { continue };
                let made = list.add(vnis, shares);
                *to = made.ok();
                made?;
            }
        }
        // A profile knows of no namespace that was set before it was made.
        let admitted = Admitted::of_profile(&service.desc)?;
        let classes = service.classes();
        for (tx, rx) in service.profiles() {
            for profile in [self.tx.get_mut(tx), self.rx.get_mut(rx)].into_iter().flatten() {
                profile.admitted = admitted.clone();
                profile.classes = classes;
            }
        }
        Ok(())
    }

    pub(super) fn drop_profiles(&mut self, service: &mut Service) {
        for place in 0..service.vnis() {
            if let Some(tx) = service.tx.get_mut(place).and_then(Option::take) {
                self.tx.give_up(tx);
            }
            if let Some(rx) = service.rx.get_mut(place).and_then(Option::take) {
                self.rx.give_up(rx);
            }
        }
    }

    /// Fails, and leaves it off, if it has lost a profile.
    pub(super) fn switch_profiles(&mut self, service: &mut Service, on: bool) -> Answered<()> {
        let is_lost = |(tx, rx): (Option<u32>, Option<u32>)| tx.is_none() || rx.is_none();
        let fails = on && service.profiles().any(is_lost);
        let is_on = on && !fails;
        for (tx, rx) in service.profiles() {
            for profile in [self.tx.get_mut(tx), self.rx.get_mut(rx)].into_iter().flatten() {
                profile.is_on = is_on;
            }
        }
        service.show(is_on);
        if fails { Err(EINVAL) } else { Ok(()) }
    }

    /// A second range that overlaps the first loses both for the service, and the first stays taken to send; another one leaves
    /// the first taken, too.
    pub(super) fn set_vni_range(&mut self, id: u32, first: u32, last: u32) -> Answered<()> {
        let mut service = self.copy_of(id)?;
        let is_vni = |vni: u32| vni > 0 && vni <= u32::from(u16::MAX);
        if service.is(service::VNIS) || !is_vni(first) || !is_vni(last) || last < first {
            return Err(EINVAL);
        }
        let size = last - first + 1;
        if !size.is_power_of_two() || !first.is_multiple_of(size) {
            return Err(EINVAL);
        }
        let made = self.add_profiles(&mut service, Some(Vnis { first, mask: size - 1 }));
        self.put_back(id, service);
        made
    }

    pub(super) fn vni_range(&mut self, id: u32) -> Answered<(u32, u32)> {
        if self.services.get(&id).is_some_and(|service| service.is_group) {
            return Err(EOPNOTSUPP);
        }
        let service = self.copy_of(id)?;
        if service.is(service::VNIS) || service.vnis() == 0 {
            return Err(EINVAL);
        }
        let vnis = self.tx.get(service.tx[0]).ok_or(ENOENT)?.vnis;
        Ok((vnis.first, vnis.first + vnis.mask))
    }

    pub(super) fn set_exclusive_cp(&mut self, id: u32, on: bool) -> Answered<()> {
        let service = self.copy_of(id)?;
        if service.is(service::VNIS) {
            return Err(EINVAL);
        }
        let profile = self.tx.get_mut(service.tx[0]).ok_or(EINVAL)?;
        if profile.is_on {
            return Err(EBUSY);
        }
        profile.exclusive_cp = on;
        Ok(())
    }

    pub(super) fn exclusive_cp(&mut self, id: u32) -> Answered<bool> {
        let service = self.copy_of(id)?;
        let profile = self.tx.get(service.tx[0]);
        profile.map(|profile| profile.exclusive_cp).ok_or(ENOENT)
    }

    /// It adds to the namespaces that are there; anybody, a user or a group exclude one.
    pub(super) fn set_netns(&mut self, id: u32, netns: u32) -> Answered<()> {
        let service = self.service(id)?;
        if !service.admitted.takes_netns() {
            return Err(EEXIST);
        }
        if service.is(ENABLED) {
            return Err(EBUSY);
        }
        service.admitted.add_netns(netns)?;
        let profiles: Vec<_> = service.profiles().collect();
        let added = self.admit_netns(&profiles, netns);
        // Where a profile is lost, the others stay as they are; after another failure nobody may use any of the VNIs.
        if added.is_err_and(|error| error != ENODATA) {
            for (tx, rx) in profiles {
                for profile in [self.tx.get_mut(tx), self.rx.get_mut(rx)].into_iter().flatten() {
                    profile.admitted = Admitted::default();
                }
            }
        }
        added
    }

    fn admit_netns(&mut self, profiles: &[(Option<u32>, Option<u32>)], netns: u32) -> Answered<()> {
        for (tx, rx) in profiles {
            let (tx, rx) = self.tx.get_mut(*tx).zip(self.rx.get_mut(*rx)).ok_or(ENODATA)?;
            rx.admitted.add_netns(netns)?;
            tx.admitted.add_netns(netns)?;
        }
        Ok(())
    }

    pub(super) fn netns(&mut self, id: u32) -> Answered<u32> {
        self.service(id)?.admitted.lowest_netns().ok_or(EINVAL)
    }
}
