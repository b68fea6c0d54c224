//! As whom the server runs.
//!
//! Port 25 comes by socket activation, by CAP_NET_BIND_SERVICE, or by binding as root and then
//! becoming somebody else for good. All mailboxes belong to that one user.

use std::fmt;
use std::path::Path;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, Uid, User, chown, geteuid, initgroups, setgid, setuid};
use postroad_telemetry::Event;

/// As whom to run, decided before anything is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// As whoever started it.
    Stay,
    /// As root, because there is no configuration that could name a user; it listens on
    /// loopback alone then.
    StayRoot,
    /// As this user from the moment the listeners are open.
    Become(Identity),
}

/// A user to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// As the configuration has it.
    pub(crate) name: String,
    uid: Uid,
    gid: Gid,
}

/// Why it can't run as it was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Root with a configuration that names no user.
    RootWithoutUser,
    /// Another user than the one who started it, who isn't root.
    NotRoot {
        /// The one to become.
        wanted: String,
    },
    /// No such user or group.
    Nobody {
        /// `user` or `group`.
        setting: &'static str,
        /// Its value.
        name: String,
    },
    /// The system said no.
    System(nix::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::RootWithoutUser => f.write_str(
                "it was started as root and the configuration names no `user` to become; \
                 set user = \"...\" (or user = \"root\" if you must)",
            ),
            Refused::NotRoot { wanted } => {
                write!(
                    f,
                    "only root can become the user {wanted:?}; start it as root, or take `user` out"
                )
            }
            Refused::Nobody { setting, name } => {
                write!(f, "there is no {setting} {name:?} on this machine")
            }
            Refused::System(error) => {
                write!(f, "the system didn't let it change its user: {error}")
            }
        }
    }
}

impl std::error::Error for Refused {}

/// Whether the machine has such a `user` or `group`. Where it can't say, it is taken to have.
pub(crate) fn exists(setting: &str, name: &str) -> bool {
    match setting {
        "group" => !matches!(Group::from_name(name), Ok(None)),
        _ => !matches!(User::from_name(name), Ok(None)),
    }
}

impl Plan {
    /// Decides from the settings; `configured` says whether there is a configuration file.
    pub(crate) fn new(
        user: Option<&str>,
        group: Option<&str>,
        configured: bool,
    ) -> Result<Plan, Refused> {
        let me = geteuid();
        let Some(name) = user else {
            return match (me.is_root(), configured) {
                (true, true) => Err(Refused::RootWithoutUser),
                (true, false) => Ok(Plan::StayRoot),
                (false, _) => Ok(Plan::Stay),
            };
        };
        let nobody = |setting, name: &str| Refused::Nobody {
            setting,
            name: name.to_owned(),
        };
        let user = User::from_name(name)
            .map_err(Refused::System)?
            .ok_or_else(|| nobody("user", name))?;
        let gid = match group {
            None => user.gid,
            Some(group) => {
                let found = Group::from_name(group).map_err(Refused::System)?;
                found.ok_or_else(|| nobody("group", group))?.gid
            }
        };
        if user.uid == me {
            Ok(Plan::Stay)
        } else if me.is_root() {
            Ok(Plan::Become(Identity {
                name: name.to_owned(),
                uid: user.uid,
                gid,
            }))
        } else {
            Err(Refused::NotRoot {
                wanted: name.to_owned(),
            })
        }
    }

    /// Makes everything from now on readable by the owner alone, gives the data folder to the user,
    /// and becomes that user for good. The listeners are open by now.
    pub(crate) fn carry_out(&self, data_dir: &Path) -> Result<(), Refused> {
        umask(Mode::from_bits_truncate(0o077));
        let Plan::Become(identity) = self else {
            return Ok(());
        };
        let as_c = |name: &str| {
            std::ffi::CString::new(name).map_err(|_| Refused::System(nix::Error::EINVAL))
        };
        chown(data_dir, Some(identity.uid), Some(identity.gid)).map_err(Refused::System)?;
        // Groups first: without root they can't be changed any more.
        initgroups(&as_c(&identity.name)?, identity.gid).map_err(Refused::System)?;
        setgid(identity.gid).map_err(Refused::System)?;
        setuid(identity.uid).map_err(Refused::System)?;
        // There must be no way back.
        if setuid(Uid::from_raw(0)).is_ok() {
            return Err(Refused::System(nix::Error::EPERM));
        }
        identity.tell();
        Ok(())
    }
}

impl Identity {
    /// Tells the log whom the process has become.
    fn tell(&self) {
        // A group need not have a name.
        let group = match Group::from_gid(self.gid) {
            Ok(Some(group)) => group.name,
            _ => self.gid.to_string(),
        };
        Event::PrivilegeDropped {
            user: &self.name,
            group: &group,
        }
        .emit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_who_started_it_may_be_named() {
        let me = User::from_uid(geteuid())
            .expect("ask for me")
            .expect("I exist");
        assert_eq!(Plan::new(Some(&me.name), None, true), Ok(Plan::Stay));
    }

    #[test]
    fn who_does_not_exist_is_named() {
        let refused = Plan::new(Some("no-such-user"), None, true);
        assert_eq!(
            refused,
            Err(Refused::Nobody {
                setting: "user",
                name: "no-such-user".into()
            })
        );
    }

    #[test]
    fn root_must_say_whom_to_become_once_there_is_a_configuration() {
        if geteuid().is_root() {
            assert_eq!(Plan::new(None, None, true), Err(Refused::RootWithoutUser));
            assert_eq!(Plan::new(None, None, false), Ok(Plan::StayRoot));
            assert!(matches!(
                Plan::new(Some("nobody"), None, true),
                Ok(Plan::Become(_))
            ));
        } else {
            assert_eq!(Plan::new(None, None, true), Ok(Plan::Stay));
            let refused = Plan::new(Some("root"), None, true);
            assert_eq!(
                refused,
                Err(Refused::NotRoot {
                    wanted: "root".into()
                })
            );
        }
    }
}
