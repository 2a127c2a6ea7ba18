"""Configuration: documents of any known dialect in, one policy and its settings out."""

from limiter.config.configuration import Configuration
from limiter.config.dump import dump
from limiter.config.loading import SUFFIXES, decode, load, parse
from limiter.config.notices import ConfigError, Notice, Place

__all__ = ["SUFFIXES", "ConfigError", "Configuration", "Notice", "Place", "decode", "dump", "load", "parse"]
