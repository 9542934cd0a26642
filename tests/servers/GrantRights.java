import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Allows what stands on the input, a line each: `TYPE PATTERN OPERATION NAME`. Takes `SERVER USER`. */
public class GrantRights {
    public static void main(String[] arguments) throws Exception {
        List<AclBinding> granted = new ArrayList<>();
        Scanner input = new Scanner(System.in);
        while (input.hasNext()) {
            ResourceType type = ResourceType.fromString(input.next());
            PatternType pattern = PatternType.fromString(input.next());
            AclOperation operation = AclOperation.fromString(input.next());
            granted.add(new AclBinding(
                new ResourcePattern(type, input.next(), pattern),
                new AccessControlEntry(
                    "User:" + arguments[1], "*", operation, AclPermissionType.ALLOW)));
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            admin.createAcls(granted).all().get();
        }
    }
}
