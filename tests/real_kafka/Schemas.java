import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * What a release's message classes hold, and what its enums name; by reflection, so it runs with any release.
 *
 * Arguments: folder of the jars, package prefixes. Lines, their parts separated by tabs:
 * message, class, apiKey or "-", version, "flexible" or "plain"; below it: field, path, type, tag or "-";
 * name, kind, number, name.
 */
public class Schemas {
    public static void main(String[] args) throws Exception {
        for (String name : RandomMessages.classes(args[0], Arrays.asList(args).subList(1, args.length))) {
            Class<?> type = Class.forName(name);
            if (!Message.class.isAssignableFrom(type))
                continue;
            Message message = (Message) type.getConstructor().newInstance();
            Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
            for (short version = message.lowestSupportedVersion(); version <= message.highestSupportedVersion(); version++) {
                line("message", type.getSimpleName(), RandomMessages.key(message), version, isFlexible(schemas[version]) ? "flexible" : "plain");
                fields("", schemas[version]);
            }
        }
        names("metadata.version", "org.apache.kafka.server.common.MetadataVersion", "featureLevel");
        names("control record", "org.apache.kafka.common.record.internal.ControlRecordType", "type");
        names("control record", "org.apache.kafka.common.record.ControlRecordType", "type");
        names("state of a transaction", "org.apache.kafka.coordinator.transaction.TransactionState", "id");
        names("state of a remote segment", "org.apache.kafka.server.log.remote.storage.RemoteLogSegmentState", "id");
        names("state of a remote partition", "org.apache.kafka.server.log.remote.storage.RemotePartitionDeleteState", "id");
    }

    static boolean isFlexible(Schema schema) {
        BoundField[] fields = schema.fields();
        return fields.length > 0 && fields[fields.length - 1].def.type instanceof TaggedFields;
    }

    static void fields(String parent, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (!(bound.def.type instanceof TaggedFields)) {
                field(parent, bound.def, "-");
                continue;
            }
            for (Map.Entry<Integer, Field> entry : ((Map<Integer, Field>) RandomMessages.tags((TaggedFields) bound.def.type)).entrySet())
                field(parent, entry.getValue(), entry.getKey());
        }
    }

    static void field(String parent, Field field, Object tag) throws Exception {
        Type type = field.type;
        String array = type.isArray() ? "[]" : "";
        Type element = type.isArray() ? type.arrayElementType().get() : type;
        String name = element instanceof Schema ? "struct" : element.toString().toLowerCase().replaceAll("compact_|nullable_", "");
        line("field", parent + field.name.replace("_", ""), array + name + (type.isNullable() ? "?" : ""), tag);
        if (element instanceof Schema)
            fields(parent + field.name.replace("_", "") + ".", (Schema) element);
    }

    static void names(String kind, String name, String id) throws Exception {
        Class<?> type;
        try {
            type = Class.forName(name);
        } catch (ClassNotFoundException e) {
            return; // another release has it, or had it in another place
        }
        for (Object one : type.getEnumConstants())
            line("name", kind, number(one, id), one);
    }

    static Object number(Object one, String id) throws Exception {
        try {
            Method method = one.getClass().getMethod(id);
            method.setAccessible(true);
            return method.invoke(one);
        } catch (NoSuchMethodException e) {
            java.lang.reflect.Field field = one.getClass().getDeclaredField(id);
            field.setAccessible(true);
            return field.get(one);
        }
    }

    static void line(Object... parts) {
        System.out.println(String.join("\t", Arrays.stream(parts).map(String::valueOf).toArray(String[]::new)));
    }
}
