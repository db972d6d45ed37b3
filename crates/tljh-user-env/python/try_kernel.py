"""Starts the kernel `trial` of a folder of kernels as JupyterLab does, and has it reckon."""

import sys

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

specs = KernelSpecManager(kernel_dirs=[sys.argv[1]], ensure_native_kernel=False)
manager = KernelManager(kernel_name="trial", kernel_spec_manager=specs)
manager.start_kernel()
client = manager.client()
client.start_channels()
told = []
try:
    client.wait_for_ready(timeout=150)
    reply = client.execute_interactive("1+1", timeout=60, output_hook=lambda message: told.append(message["content"]))
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
if reply["content"]["status"] != "ok" or not any("2" in str(each.get("data")) for each in told):
    sys.exit(f"the kernel does not know what 1+1 is: {told}")
