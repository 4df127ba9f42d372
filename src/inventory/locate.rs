//! Finds the inventory's files.
//!
//! In this order: `--inventory FILE|DIR`, the variable [`VARIABLE`], then [`PLACES`]. What the operator names must be
//! there; of the usual places the first that has something counts. A directory is all its `*.toml`, by name.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::InventoryError;

/// The environment variable that names a file or directory.
pub const VARIABLE: &str = "SWARM_INVENTORY";

/// The usual places.
pub const PLACES: [&str; 2] = ["./inventory", "/etc/build-swarm/inventory"];

/// More than this (bytes) in one file is no inventory.
const FILE_LIMIT: u64 = 4 << 20;

/// The files of the inventory with their texts.
///
/// # Errors
/// There is none, what was named is of no use, or a file cannot be read.
pub fn files(option: Option<&Path>) -> Result<Vec<(PathBuf, String)>, InventoryError> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    search(option, variable.as_deref(), &PLACES.map(Path::new))
}

/// Where the inventory is, whatever is in it; none where there is none.
pub fn place(option: Option<&Path>) -> Option<PathBuf> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = option.map(Path::to_owned).or(variable);
    named.or_else(|| PLACES.iter().map(PathBuf::from).find(|place| place.exists()))
}

fn search(
    option: Option<&Path>,
    variable: Option<&Path>,
    places: &[&Path],
) -> Result<Vec<(PathBuf, String)>, InventoryError> {
    for (named, named_by) in [(option, "--inventory"), (variable, VARIABLE)] {
        if let Some(path) = named {
            return match files_at(path)? {
                Ok(files) => read_all(files),
                Err(problem) => Err(InventoryError::Unusable { path: path.to_owned(), named_by, problem }),
            };
        }
    }
    let mut looked = vec!["--inventory: not given".to_owned(), format!("{VARIABLE}: not set")];
    for place in places {
        match files_at(place)? {
            Ok(files) => return read_all(files),
            Err(problem) => looked.push(format!("{} {problem}", place.display())),
        }
    }
    Err(InventoryError::NotFound { looked })
}

/// The files at a place, or why there are none.
fn files_at(path: &Path) -> Result<Result<Vec<PathBuf>, String>, InventoryError> {
    let unreadable = |source| InventoryError::Read { path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Err("is not there".to_owned()));
        }
        Err(error) => return Err(unreadable(error)),
        Ok(metadata) if !metadata.is_dir() => return Ok(Ok(vec![path.to_owned()])),
        Ok(_) => {}
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && file.extension().is_some_and(|extension| extension == "toml") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(if files.is_empty() { Err("is a directory without *.toml in it".to_owned()) } else { Ok(files) })
}

fn read_all(files: Vec<PathBuf>) -> Result<Vec<(PathBuf, String)>, InventoryError> {
    files
        .into_iter()
        .map(|path| match read(&path) {
            Ok(text) => Ok((path, text)),
            Err(source) => Err(InventoryError::Read { path, source }),
        })
        .collect()
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let length = fs::File::open(path)?.take(FILE_LIMIT + 1).read_to_string(&mut text)?;
    if length as u64 > FILE_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB: this is no inventory"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[(PathBuf, String)]) -> Vec<String> {
        found.iter().map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_named_goes_before_the_usual_places_and_a_directory_is_read_in_order() {
        let room = tempfile::tempdir().unwrap();
        let at = |name: &str| room.path().join(name);
        fs::create_dir(at("fleet")).unwrap();
        for name in ["b.toml", "a.toml", "notes.txt", ".hidden.toml"] {
            fs::write(at("fleet").join(name), name).unwrap();
        }
        fs::write(at("one"), "text").unwrap();
        let places = [at("missing"), at("fleet")];
        let places: Vec<&Path> = places.iter().map(PathBuf::as_path).collect();

        assert_eq!(names(&search(None, None, &places).unwrap()), ["a.toml", "b.toml"]);
        assert_eq!(names(&search(None, Some(&at("one")), &places).unwrap()), ["one"]);
        assert_eq!(names(&search(Some(&at("fleet")), Some(&at("one")), &places).unwrap()), ["a.toml", "b.toml"]);
    }

    #[test]
    fn what_is_named_and_not_there_is_not_looked_for_elsewhere() {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir(room.path().join("empty")).unwrap();
        for (name, part) in [("missing", "is not there"), ("empty", "without *.toml")] {
            let path = room.path().join(name);
            let error = search(Some(&path), None, &[room.path()]).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("--inventory"), "{error}");
        }
    }

    #[test]
    fn where_there_is_none_the_error_says_where_it_looked_and_how_to_begin() {
        let error = search(None, None, &[Path::new("/nowhere/inventory")]).unwrap_err().to_string();
        for part in
            ["--inventory", VARIABLE, "/nowhere/inventory is not there", "[swarm]", "driver =", "[drones.first]"]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("binary.toml");
        fs::write(&path, b"\xff\xfe").unwrap();
        let error = search(Some(&path), None, &[]).unwrap_err().to_string();
        assert!(error.contains("binary.toml") && error.contains("UTF-8"), "{error}");
    }
}
