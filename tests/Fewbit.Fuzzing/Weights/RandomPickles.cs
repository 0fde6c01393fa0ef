using System.Buffers.Binary;
using System.Text;

namespace Fewbit.Fuzzing.Weights;

/// <summary>Pickles: those of PyTorch with some instructions changed, and random programs of the same instructions.</summary>
internal static class RandomPickles
{
    private static readonly string[] Globals =
    [
        "collections\nOrderedDict\n", "torch._utils\n_rebuild_tensor_v2\n", "torch._utils\n_rebuild_tensor_v3\n", "torch._utils\n_rebuild_parameter\n", "torch\nFloatStorage\n",
        "torch\nUntypedStorage\n", "torch\nBoolStorage\n", "torch\nfloat16\n", "torch\nSize\n", "torch\ndevice\n", "os\nsystem\n", "builtins\neval\n", "\n\n", "torch\n\n", "__torch__\nNet\n",
    ];

    private static readonly string[] Texts = ["storage", "0", "1", "9", "cpu", "state_dict", "module.w", "w", "", "w.x", "\0"];

    public static byte[] Program(Random random)
    {
        var bytes = new List<byte> { 0x80, 2 };
        for (int count = random.Next(1, 60); count > 0; count--) Instruction(bytes, random);
        bytes.Add((byte)'.');
        return [.. bytes];
    }

    /// <summary>A dict of one tensor whose offset, sizes, strides, storage and number of elements may be anything.</summary>
    public static byte[] Tensor(Random random, long elements)
    {
        var bytes = new List<byte> { 0x80, 2, (byte)'}', (byte)'(' };
        for (int tensors = random.Next(1, 4); tensors > 0; tensors--)
        {
            Text(bytes, Texts[random.Next(5, Texts.Length)]);
            Global(bytes, Globals[1]);
            bytes.AddRange("(("u8);
            Text(bytes, random.Next(20) == 0 ? "module" : "storage");
            Global(bytes, Globals[random.Next(8) == 0 ? random.Next(Globals.Length) : 4]);
            Text(bytes, random.Next(12) == 0 ? "9" : "0");
            Text(bytes, "cpu");
            Integer(bytes, random.Next(6) == 0 ? Interesting.Integer(random) : elements);
            bytes.AddRange("tQ"u8);
            Integer(bytes, random.Next(4) == 0 ? Interesting.Integer(random) : 0);
            int rank = random.Next(5);
            Numbers(bytes, random, rank);
            Numbers(bytes, random, random.Next(12) == 0 ? random.Next(5) : rank);
            bytes.AddRange([0x89, (byte)'N', (byte)'t', (byte)'R']);
        }
        bytes.AddRange("u."u8);
        return [.. bytes];
    }

    private static void Numbers(List<byte> bytes, Random random, int count)
    {
        bytes.Add((byte)'(');
        for (int i = 0; i < count; i++) Integer(bytes, Interesting.Length(random));
        bytes.Add((byte)'t');
    }

    private static void Instruction(List<byte> bytes, Random random)
    {
        ReadOnlySpan<byte> plain = "()]}tldaeus012NRbQ."u8;
        switch (random.Next(10))
        {
            case 0: Global(bytes, Globals[random.Next(Globals.Length)]); break;
            case 1 or 2: Text(bytes, Texts[random.Next(Texts.Length)]); break;
            case 3: Integer(bytes, Interesting.Integer(random)); break;
            case 4: bytes.AddRange([(byte)(random.Next(2) == 0 ? 'q' : 'h'), (byte)random.Next(3)]); break;
            case 5: bytes.Add((byte)random.Next(0x80, 0x96)); break;
            case 6: bytes.Add((byte)random.Next(256)); break;
            default: bytes.Add(plain[random.Next(plain.Length)]); break;
        }
    }

    private static void Global(List<byte> bytes, string name) => bytes.AddRange([(byte)'c', .. Encoding.Latin1.GetBytes(name)]);

    private static void Text(List<byte> bytes, string text)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
        bytes.AddRange([(byte)'X', .. length, .. Encoding.Latin1.GetBytes(text)]);
    }

    private static void Integer(List<byte> bytes, long number)
    {
        Span<byte> eight = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(eight, number);
        bytes.AddRange([0x8A, 8, .. eight]);
    }
}
