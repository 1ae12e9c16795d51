import os
import sys


def postprocess_handler():
    print("Hello from post-proc script!")
    with open(os.path.join(os.environ["output_path"], "written.txt"), "w") as file:
        file.write("done")
    sys.exit(0)
