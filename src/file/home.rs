//! What `~` at the beginning of a path means.

use nix::unistd::{Uid, User};
use std::{
    env,
    ffi::{OsStr, OsString},
};

/// What `~` at the beginning of a path means to a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// A place in the user's own home folder: the whole path, if the folder is known.
    Own(Option<String>),
    /// A place in the home folder of another user, whose name follows.
    OfUser,
}

impl Home {
    /// What `path` means if a shell would put a home folder in the place of its beginning: `~` alone,
    /// `~/...` and `~user/...`. A name that begins with `~` is one like any other.
    pub fn of(path: &str) -> Option<Self> {
        let home = home_folder();
        Self::within(home.as_deref().and_then(OsStr::to_str), path)
    }

    fn within(home: Option<&str>, path: &str) -> Option<Self> {
        let rest = path.strip_prefix('~')?;
        if rest.is_empty() || rest.starts_with('/') {
            return Some(Self::Own(home.map(|home| format!("{home}{rest}"))));
        }
        rest.contains('/').then_some(Self::OfUser)
    }
}

/// The user's own home folder: that of the environment, else that of the system's list of users, as services and
/// jobs of a queue may have no `HOME`.
pub fn home_folder() -> Option<OsString> {
    let named = env::var_os("HOME").filter(|home| !home.is_empty());
    named.or_else(|| {
        let user = User::from_uid(Uid::current()).ok()??;
        let home = user.dir.into_os_string();
        (!home.is_empty()).then_some(home)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_replace_is_a_home() {
        let check = |path: &str, expect: Option<Home>| {
            assert_eq!(Home::within(Some("/home/me"), path), expect, "{path}");
        };
        let own = |path: &str| Some(Home::Own(Some(path.to_owned())));
        check("~", own("/home/me"));
        check("~/a/~b.fa", own("/home/me/a/~b.fa"));
        check("~you/a.fa", Some(Home::OfUser));
        check("~a.fa", None);
        check("a/~/b.fa", None);
        assert_eq!(Home::within(None, "~/a.fa"), Some(Home::Own(None)));
    }
}
