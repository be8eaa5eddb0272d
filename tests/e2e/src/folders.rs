//! State folders that are copied and put back, as a backup or a snapshot would.

use std::fs;
use std::path::Path;

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("readable").path();
        let to = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("there is room");
        }
    }
}

/// Puts a folder back to an earlier copy of it.
pub fn restore(earlier: &Path, folder: &Path) {
    fs::remove_dir_all(folder).expect("it is there");
    copy(earlier, folder);
}
