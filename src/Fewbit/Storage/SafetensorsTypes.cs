using Fewbit.Tensors;

namespace Fewbit.Storage;

/// <summary>The names that safetensors gives element types.</summary>
internal static class SafetensorsTypes
{
    private static readonly (string Name, ElementType Type)[] Pairs =
    [
        ("F32", ElementType.Float32), ("F64", ElementType.Float64), ("F16", ElementType.Float16), ("BF16", ElementType.BFloat16),
        ("U8", ElementType.UInt8), ("I8", ElementType.Int8), ("U16", ElementType.UInt16), ("I16", ElementType.Int16),
        ("U32", ElementType.UInt32), ("I32", ElementType.Int32), ("U64", ElementType.UInt64), ("I64", ElementType.Int64),
        ("BOOL", ElementType.Bool), ("C64", ElementType.Complex64), ("F4", ElementType.Float4E2M1), ("F8_E8M0", ElementType.Float8E8M0),
        ("F8_E4M3", ElementType.Float8E4M3FN), ("F8_E5M2", ElementType.Float8E5M2), ("F8_E4M3FNUZ", ElementType.Float8E4M3FNUZ), ("F8_E5M2FNUZ", ElementType.Float8E5M2FNUZ),
    ];

    public static IEnumerable<string> Names => Pairs.Select(pair => pair.Name);

    public static ElementType? Find(string name)
    {
        foreach ((string known, ElementType type) in Pairs)
            if (known == name) return type;
        return null;
    }

    /// <exception cref="ArgumentException">The format has no name for the type.</exception>
    public static string NameOf(ElementType type, string tensor)
    {
        foreach ((string name, ElementType known) in Pairs)
            if (known == type) return name;
        throw new ArgumentException($"tensor '{tensor}' is {type.Name()}, which safetensors cannot hold; keep its codes as int8 or uint8", nameof(type));
    }
}
