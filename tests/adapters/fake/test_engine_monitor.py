from cortex_adapters.fake import FakeClock, FakeEngineMonitor, FakeModelLoader, FakeTextGenerator
from tests.adapters.fake.fake_files import FILES


async def test_tells_what_is_loaded_and_what_was() -> None:
    loader = FakeModelLoader()
    monitor = FakeEngineMonitor(loader=loader, generator=FakeTextGenerator(loader=loader, clock=FakeClock()))
    await loader.load(FILES)
    await loader.unload(FILES.model_id)
    status = monitor.status()
    assert (status.active_memory_bytes, status.peak_memory_bytes) == (0, FILES.size_bytes)


async def test_failure_can_be_set() -> None:
    loader = FakeModelLoader()
    generator = FakeTextGenerator(loader=loader, clock=FakeClock())
    monitor = FakeEngineMonitor(loader=loader, generator=generator, failure="It broke.")
    assert monitor.status().failure == "It broke."
    monitor.failure = None
    assert monitor.status().failure is None
