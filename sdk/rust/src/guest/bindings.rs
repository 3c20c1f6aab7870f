//! The bindings that wit-bindgen generates from `wit/`.

wit_bindgen::generate!({
    path: "../../wit",
    world: "worker",
    runtime_path: "::wit_bindgen::rt",
    export_macro_name: "export_handler",
    pub_export_macro: true,
    default_bindings_module: "taskyard_sdk::guest::bindings",
});
