"""Engines: a batch of structures in, energies and relaxed structures out."""

from ninefold.engines.base import Engine, Evaluation, Relaxation
from ninefold.engines.registry import engine_names, make_engine
from ninefold.engines.settings import EngineSettings, RelaxSettings

__all__ = ["Engine", "EngineSettings", "Evaluation", "RelaxSettings", "Relaxation", "engine_names", "make_engine"]
