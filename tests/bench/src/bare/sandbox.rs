//! A fresh instance for each request, of the smallest component that echoes.

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store,
};

/// Gives its text back where it lies; memory is only ever allocated from its start.
pub(crate) const ECHO: &str = r#"
(component
  (core module $echo
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 16)
    (func (export "run") (param i32 i32) (result i32)
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      i32.const 0))
  (core instance $instance (instantiate $echo))
  (func (export "run") (param "text" string) (result string)
    (canon lift (core func $instance "run")
      (memory (core memory $instance "memory")) (realloc (core func $instance "realloc")))))
"#;

pub(crate) struct Sandbox {
    engine: Engine,
    echo: InstancePre<()>,
}

impl Sandbox {
    pub(crate) fn new(component: &[u8]) -> Result<Self> {
        let mut config = Config::new();
        let pool = PoolingAllocationConfig::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let echo = Linker::new(&engine).instantiate_pre(&component)?;
        Ok(Self { engine, echo })
    }

    pub(crate) fn run(&self, text: &str) -> Result<String> {
        let mut store = Store::new(&self.engine, ());
        let instance = self.echo.instantiate(&mut store)?;
        let run = instance.get_typed_func::<(&str,), (String,)>(&mut store, "run")?;
        let (echoed,) = run.call(&mut store, (text,))?;
        Ok(echoed)
    }
}
