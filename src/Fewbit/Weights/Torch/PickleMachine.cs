using System.Globalization;
using System.Numerics;

namespace Fewbit.Weights.Torch;

/// <summary>Interprets the instructions of a Python pickle (protocols 2 to 5) as data. It calls nothing but its world, which knows a fixed list of names.</summary>
/// <remarks>Instructions by their letters as in Python's pickletools; those of protocol 0 and of object construction are refused by name.</remarks>
internal sealed class PickleMachine(PickleReader reader, IPickleWorld world)
{
    public const byte Protocol = 0x80;
    private const int MaxInstructions = 10_000_000, MaxLongBytes = 64;
    private static readonly object Mark = new();
    private readonly List<object?> _stack = [];
    private readonly Dictionary<long, object?> _memo = [];

    /// <summary>Runs one pickle to its end and returns its value.</summary>
    public object? Run()
    {
        _stack.Clear();
        _memo.Clear();
        for (int count = 0; count < MaxInstructions; count++)
        {
            byte code = reader.Byte();
            if (code == (byte)'.') return Pop();
            Execute(code);
        }
        throw reader.Damaged($"has a pickle of more than {MaxInstructions} instructions");
    }

    private void Execute(byte code)
    {
        switch ((char)code)
        {
            case '\u0080': CheckProtocol(reader.Byte()); break;
            case '\u0095': reader.Int64(); break; // the length of a frame
            case '(': Push(Mark); break;
            case '0': Pop(); break;
            case '1': PopToMark(); break;
            case '2': Push(Top()); break;
            case 'q': _memo[reader.Byte()] = Top(); break;
            case 'r': _memo[(uint)reader.Int32()] = Top(); break;
            case '\u0094': _memo[_memo.Count] = Top(); break;
            case 'h': Push(Remembered(reader.Byte())); break;
            case 'j': Push(Remembered((uint)reader.Int32())); break;
            case 'c': Push(world.Global(reader.Line(), reader.Line())); break;
            case '\u0093': PushGlobal(); break;
            case 'R': Call(); break;
            case '\u0081': Call(); break; // cls.__new__(cls, *args) of a listed class is the same as cls(*args)
            case 'b': Build(); break;
            case 'Q': Push(world.Persistent(Pop())); break;
            default:
                if (!PushConstant(code) && !Collect(code))
                    throw reader.Damaged(string.Create(CultureInfo.InvariantCulture, $"has the pickle instruction 0x{code:X2}{(code is > 32 and < 127 ? $" '{(char)code}'" : "")}, which weights do not need; it was not executed. Save the state_dict with torch.save"));
                break;
        }
    }

    private bool PushConstant(byte code)
    {
        switch ((char)code)
        {
            case 'N': Push(null); break;
            case '\u0088': Push(true); break;
            case '\u0089': Push(false); break;
            case 'J': Push((long)reader.Int32()); break;
            case 'K': Push((long)reader.Byte()); break;
            case 'M': Push((long)reader.UInt16()); break;
            case '\u008a': PushLong(reader.Byte()); break;
            case 'G': Push(reader.DoubleBigEndian()); break;
            case 'X': Push(reader.Utf8((uint)reader.Int32())); break;
            case '\u008c': Push(reader.Utf8(reader.Byte())); break;
            case '\u008d': Push(reader.Utf8(reader.Int64())); break;
            case 'T' or 'B': Push(reader.Latin1((uint)reader.Int32())); break;
            case 'U' or 'C': Push(reader.Latin1(reader.Byte())); break;
            default: return false;
        }
        return true;
    }

    private bool Collect(byte code)
    {
        switch ((char)code)
        {
            case ')': Push(new PickleTuple([])); break;
            case ']': Push(new PickleList([])); break;
            case '}': Push(new PickleDict()); break;
            case 't': Push(new PickleTuple(PopToMark())); break;
            case 'l': Push(new PickleList([.. PopToMark()])); break;
            case 'd': SetItems(PopToMark(), new PickleDict(), push: true); break;
            case '\u0085': Push(new PickleTuple([Pop()])); break;
            case '\u0086': PushPair(); break;
            case '\u0087': PushTriple(); break;
            case 'a': Append([Pop()]); break;
            case 'e': Append(PopToMark()); break;
            case 's': SetItem(); break;
            case 'u': SetItems(PopToMark(), Top() as PickleDict, push: false); break;
            default: return false;
        }
        return true;
    }

    private void CheckProtocol(byte protocol)
    {
        if (protocol is < 2 or > 5) throw reader.Damaged($"has a pickle of protocol {protocol}, expected 2 to 5");
    }

    private void PushGlobal()
    {
        object? name = Pop(), module = Pop();
        if (name is not string || module is not string) throw reader.Damaged("has a pickle that names a global by something other than text");
        Push(world.Global((string)module, (string)name));
    }

    private void Call()
    {
        object? arguments = Pop(), callable = Pop();
        Push(world.Call(callable, arguments as PickleTuple ?? throw reader.Damaged("has a pickle that calls without a tuple of arguments")));
    }

    /// <summary>Attributes of a state_dict (its versions) are no weights; nothing else may have any.</summary>
    private void Build()
    {
        Pop();
        if (Top() is not (PickleDict or TorchTensor)) throw reader.Damaged("has a pickle that sets attributes of an object that is no dict or tensor; it was not executed. Save the state_dict with torch.save");
    }

    private void PushPair()
    {
        object? second = Pop(), first = Pop();
        Push(new PickleTuple([first, second]));
    }

    private void PushTriple()
    {
        object? third = Pop(), second = Pop(), first = Pop();
        Push(new PickleTuple([first, second, third]));
    }

    private void Append(List<object?> items) => (Top() as PickleList ?? throw reader.Damaged("has a pickle that appends to what is no list")).Items.AddRange(items);

    private void SetItem()
    {
        object? value = Pop(), key = Pop();
        SetItems([key, value], Top() as PickleDict, push: false);
    }

    private void SetItems(List<object?> items, PickleDict? dict, bool push)
    {
        if (dict is null || items.Count % 2 != 0) throw reader.Damaged("has a pickle that sets items of what is no dict");
        for (int i = 0; i < items.Count; i += 2)
        {
            string key = items[i] switch
            {
                string text => text,
                long or bool or double or BigInteger => Convert.ToString(items[i], CultureInfo.InvariantCulture)!,
                _ => throw reader.Damaged("has a pickled dict whose keys are no texts or numbers"),
            };
            dict[key] = items[i + 1];
        }
        if (push) Push(dict);
    }

    private void PushLong(int bytes)
    {
        if (bytes > MaxLongBytes) throw reader.Damaged($"has a pickled number of {bytes} bytes");
        var value = new BigInteger(reader.Bytes(bytes), isUnsigned: false, isBigEndian: false);
        if (value >= long.MinValue && value <= long.MaxValue) Push((long)value);
        else Push(value);
    }

    private object? Remembered(long key) => _memo.TryGetValue(key, out object? value) ? value : throw reader.Damaged($"has a pickle that recalls value {key}, which was never stored");

    private void Push(object? value) => _stack.Add(value);

    private object? Top() => _stack.Count > 0 && _stack[^1] != Mark ? _stack[^1] : throw Empty();

    private object? Pop()
    {
        object? value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private List<object?> PopToMark()
    {
        int mark = _stack.LastIndexOf(Mark);
        if (mark < 0) throw Empty();
        List<object?> items = _stack[(mark + 1)..];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return items;
    }

    private InvalidDataException Empty() => reader.Damaged("has a damaged pickle: an instruction finds no value");
}
