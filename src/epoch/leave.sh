# Ends our lease, so that another controller need not wait for it: $workdir, $epoch, $controller.
epoch_lock
if [ "$found" -eq "$epoch" ] && [ "$holder" = "$controller" ]; then epoch_write 0; fi
