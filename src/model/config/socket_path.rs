//! How long the path of a socket may be. Pure.

use std::path::Path;

/// Bytes of the longest path: the kernel's field has 108, the last of which is a zero.
pub const LONGEST: usize = 107;
/// Bytes of the longest name that our socket in kubelet's directory can have, with the slash before it:
/// `/cxi-<8>-<7 digits>-<6 digits>.sock`.
pub const OUR_NAME: usize = 33;

/// What is wrong with the path of a socket, if anything.
pub fn of_socket(path: &Path) -> Option<String> {
    too_long(path, LONGEST, "a socket's path has")
}

/// What is wrong with kubelet's directory, if anything.
pub fn of_directory(path: &Path) -> Option<String> {
    too_long(path, LONGEST - OUR_NAME, "with our socket's name in it, it has")
}

fn too_long(path: &Path, limit: usize, whose: &str) -> Option<String> {
    let length = path.as_os_str().as_encoded_bytes().len();
    (length > limit).then(|| {
        format!(
            "this path is {length} bytes long, and {whose} at most {limit}: name a shorter one, such as a link to it"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_longest_name_fits_into_the_longest_directory() {
        let name = format!("/cxi-{:08x}-{}-{}.sock", u32::MAX, 4_194_304, 999_999);
        assert_eq!(name.len(), OUR_NAME);
        let directory = "d".repeat(LONGEST - OUR_NAME);
        assert_eq!(of_directory(Path::new(&directory)), None);
        assert_eq!(of_socket(Path::new(&(directory.clone() + &name))), None);
        assert!(of_directory(Path::new(&(directory + "d"))).is_some());
    }
}
