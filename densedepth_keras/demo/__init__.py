"""`densedepth demo`: a web page that tells the metres in a photo. Gradio is loaded when it starts."""

from densedepth_keras.demo.opening import run_demo

__all__ = ["run_demo"]
