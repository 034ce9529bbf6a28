//! Imports inside the crates: the modules of a folder must not import each other in a circle.
//!
//! Within each folder the nodes are its files and subfolders. An arrow goes from A to B if a file
//! in A imports something that is defined in B, re-exports resolved. `mod.rs` and `lib.rs` are no
//! nodes of their own: they declare their children and offer shared items to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::{Attribute, Item, UseTree, visit::Visit}; // style: ignore

use crate::sources::{SOURCES, files, root};

/// Maximum number of arrows between the folders of `src/collection`, to be lowered when one goes.
/// There were 46 between its files before it had folders.
const MAX_COLLECTION_ARROWS: usize = 20;

type ModulePath = Vec<String>;

/// A source file: its imports, and what it re-exports.
#[derive(Default)]
struct Module {
    imports: BTreeSet<ModulePath>,
    /// Full path by name.
    re_exports: BTreeMap<String, ModulePath>,
}

#[test]
fn modules_of_a_folder_do_not_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for name in SOURCES {
        let modules = read_crate(name);
        assert!(modules.len() > 10, "{name}: the sources were found");
        for (folder, arrows) in arrows(&modules) {
            for circle in circles_of(&arrows) {
                circles.push(format!(
                    "{name}/{}: {}",
                    folder.join("/"),
                    circle.join(", ")
                ));
            }
        }
    }
    assert!(circles.is_empty(), "circles of modules: {circles:#?}");
}

#[test]
fn folders_of_a_collection_import_few_others() {
    let arrows = arrows(&read_crate("src"));
    let arrows = &arrows[&vec!["collection".to_owned()]];
    println!("{} arrows: {arrows:?}", arrows.len());
    assert!(arrows.len() > 10, "the folders were found");
    assert!(arrows.len() <= MAX_COLLECTION_ARROWS, "{arrows:#?}");
}

#[test]
fn a_circle_is_found() {
    let arrow = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let arrows = BTreeSet::from([
        arrow("a", "b"),
        arrow("b", "c"),
        arrow("c", "a"),
        arrow("c", "d"),
    ]);
    assert_eq!(circles_of(&arrows), [["a", "b", "c"]]);
    assert!(circles_of(&BTreeSet::from([arrow("a", "b"), arrow("a", "c")])).is_empty());
}

fn read_crate(name: &str) -> BTreeMap<ModulePath, Module> {
    let folder = root().join(name);
    let module = |file: &PathBuf| {
        let path = module_path(file.strip_prefix(&folder).expect("a file of the crate"))?;
        let text = std::fs::read_to_string(file).expect("a source file");
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut reader = Reader {
            path: path.clone(),
            module: Module::default(),
        };
        reader.visit_file(&parsed);
        Some((path, reader.module))
    };
    files(name).iter().filter_map(module).collect()
}

/// Returns the path of a file's module below the crate; None for unit tests and programs.
fn module_path(file: &Path) -> Option<ModulePath> {
    let mut path: ModulePath = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if path.iter().any(|part| part == "tests" || part == "main") {
        return None;
    }
    if path
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        path.pop();
    }
    Some(path)
}

struct Reader {
    path: ModulePath,
    module: Module,
}

impl Reader {
    /// Returns the path below the crate of one written in this module; None for other crates.
    fn absolute(&self, written: &[String]) -> Option<ModulePath> {
        let (first, rest) = written.split_first()?;
        let mut path = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.path.clone(),
            "super" => {
                let mut parent = self.path.clone();
                parent.pop();
                let mut rest = rest;
                while rest.first().is_some_and(|part| part == "super") {
                    parent.pop();
                    rest = &rest[1..];
                }
                parent.extend(rest.iter().cloned());
                return Some(parent);
            }
            _ => return None,
        };
        path.extend(rest.iter().cloned());
        Some(path)
    }

    fn take(&mut self, tree: &UseTree, prefix: &[String], is_public: bool) {
        let joined = |name: String| [prefix, &[name]].concat();
        let (written, name) = match tree {
            UseTree::Path(path) => {
                return self.take(&path.tree, &joined(path.ident.to_string()), is_public);
            }
            UseTree::Group(group) => {
                return group
                    .items
                    .iter()
                    .for_each(|tree| self.take(tree, prefix, is_public));
            }
            UseTree::Glob(_) => (prefix.to_vec(), String::new()),
            UseTree::Name(name) if name.ident == "self" => {
                (prefix.to_vec(), prefix.last().cloned().unwrap_or_default())
            }
            UseTree::Name(name) => (joined(name.ident.to_string()), name.ident.to_string()),
            UseTree::Rename(name) => (joined(name.ident.to_string()), name.rename.to_string()),
        };
        let path = self.absolute(&written).or_else(|| {
            // `pub use child::Item` in the file that declares `child`
            is_public.then(|| [&self.path[..], &written].concat())
        });
        if let Some(path) = path {
            if is_public {
                self.module.re_exports.insert(name, path.clone());
            }
            self.module.imports.insert(path);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .meta
                .require_list()
                .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader {
    // style: ignore
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_test(&module.attrs) => {}
            Item::Use(import) => {
                let is_public = !matches!(import.vis, syn::Visibility::Inherited);
                self.take(&import.tree, &[], is_public);
            }
            _ => syn::visit::visit_item(self, item), // style: ignore
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        if written.len() > 1
            && let Some(path) = self.absolute(&written)
        {
            self.module.imports.insert(path);
        }
        syn::visit::visit_path(self, path); // style: ignore
    }
}

/// Returns the arrows between the children of each folder.
fn arrows(
    modules: &BTreeMap<ModulePath, Module>,
) -> BTreeMap<ModulePath, BTreeSet<(String, String)>> {
    let mut arrows: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (from, module) in modules {
        for import in &module.imports {
            let Some(to) = definition(modules, import, 0) else {
                continue;
            };
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if shared < from.len() && shared < to.len() {
                let arrow = (from[shared].clone(), to[shared].clone());
                arrows
                    .entry(from[..shared].to_vec())
                    .or_default()
                    .insert(arrow);
            }
        }
    }
    arrows
}

/// Returns the module that defines what an import names.
fn definition(
    modules: &BTreeMap<ModulePath, Module>,
    import: &[String],
    depth: usize,
) -> Option<ModulePath> {
    let at = (0..=import.len())
        .rev()
        .find(|n| modules.contains_key(&import[..*n]))?;
    let (module, rest) = import.split_at(at);
    let re_export = rest
        .first()
        .and_then(|name| modules[module].re_exports.get(name));
    match re_export {
        Some(path) if depth < 8 && path != import => {
            let full = [&path[..], &rest[1..]].concat();
            definition(modules, &full, depth + 1)
        }
        _ => Some(module.to_vec()),
    }
}

/// Returns the groups of nodes that reach each other, sorted.
fn circles_of(arrows: &BTreeSet<(String, String)>) -> Vec<Vec<String>> {
    let nodes: BTreeSet<_> = arrows.iter().flat_map(|(a, b)| [a, b]).collect();
    let reach = |start: &String| {
        let mut reached = BTreeSet::new();
        let mut open = vec![start.clone()];
        while let Some(node) = open.pop() {
            for (_, to) in arrows.iter().filter(|(from, _)| *from == node) {
                if reached.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = nodes.iter().map(|node| (*node, reach(node))).collect();
    let mut circles = BTreeSet::new();
    for node in &nodes {
        let circle: Vec<_> = nodes
            .iter()
            .filter(|other| reached[*node].contains(**other) && reached[**other].contains(*node))
            .map(|other| (*other).clone())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}
