//! The default service is switched on once in the life of a NIC. What an admin does afterwards is respected, so it is kept on a
//! stamp for which life it has been done.

/// One life of a NIC: from one probe of its driver to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Kernel name.
    pub cxi: String,
    /// What the kernel counts up with each probe.
    pub instance: u64,
}

impl Life {
    /// As a stamp says it.
    pub fn stamp(&self) -> String {
        format!("{} {}\n", self.cxi, self.instance)
    }
}

/// What to do about the default service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Switch it on, and keep that on a stamp.
    Enable,
    /// It is on; keep that on a stamp.
    AlreadyOn,
    /// It was switched on before in this life, and is on.
    Done,
    /// It was switched on before in this life, and somebody has switched it off: it stays off.
    SwitchedOff,
}

/// Decides, by what the stamp says and whether the service is on.
pub fn decide(stamp: Option<&str>, life: &Life, is_on: bool) -> Decision {
    match (stamp == Some(life.stamp().as_str()), is_on) {
        (true, true) => Decision::Done,
        (true, false) => Decision::SwitchedOff,
        (false, true) => Decision::AlreadyOn,
        (false, false) => Decision::Enable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_a_life_and_an_admins_word_counts() {
        let life = Life {
            cxi: "cxi0".to_owned(),
            instance: 4711,
        };
        let stamp = life.stamp();
        assert_eq!(decide(None, &life, false), Decision::Enable);
        assert_eq!(decide(None, &life, true), Decision::AlreadyOn);
        assert_eq!(decide(Some(&stamp), &life, true), Decision::Done);
        assert_eq!(decide(Some(&stamp), &life, false), Decision::SwitchedOff);
        let next = Life { instance: 4712, ..life };
        assert_eq!(decide(Some(&stamp), &next, false), Decision::Enable);
        assert_eq!(decide(Some("rubbish"), &next, false), Decision::Enable);
    }
}
