import time

print("loading")
time.sleep(600)
