"""The tiny policy that engine and server are tested with."""

from tiny_policy import config, logits, mesh, model_folder, other_folder, other_params, params

__all__ = ["config", "logits", "mesh", "model_folder", "other_folder", "other_params", "params"]
